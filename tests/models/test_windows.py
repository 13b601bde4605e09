"""Windows that stand in the mask alone: such models are not packed."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from causal_models import SHARED
from torch import nn

from fewshot.models.batch import Rows
from fewshot.models.causal import LoraCausal
from fewshot.models.lora_settings import Lora
from fewshot.models.stack import Stack
from fewshot.models.windows import narrowed

CAUSAL: Any = transformers.AutoModelForCausalLM
WINDOW = 8
MIXED = SHARED | {"num_local_experts": 2, "num_experts_per_tok": 1, "sliding_window": WINDOW}
LONG = " ".join(f"word{n}" for n in range(12))


@pytest.mark.parametrize(
    ("config", "packs"),
    [
        (transformers.MistralConfig(**SHARED, sliding_window=WINDOW), True),
        (transformers.PhimoeConfig(**MIXED), False),
    ],
    ids=["mistral", "phimoe"],
)
def test_a_window_is_kept_in_long_rows(config: Any, packs: bool, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CAUSAL.from_config(config).save_pretrained(tmp_path)
    from fewshot.models.backbone import find_backbone

    tokenizer = transformers.AutoTokenizer.from_pretrained(find_backbone("minilm"))
    tokenizer.eos_token = "[SEP]"
    tokenizer.save_pretrained(tmp_path)
    learner = LoraCausal(str(tmp_path), Lora(modules=("q_proj", "v_proj")), calibrated=False)
    assert learner._body.packs == packs
    names = ("lost card", "card")
    placed = learner.place(learner.batch(Rows([(LONG, None)], [0], [0], [2], names=(names,))))
    scores = learner.logits(Stack({}), placed)[0]
    model = CAUSAL.from_pretrained(tmp_path, dtype=torch.float32).eval()
    for score, name in zip(scores.tolist(), names, strict=True):
        prompt = tokenizer(f"{LONG}\nAnswer:", add_special_tokens=False)["input_ids"]
        ids = torch.tensor([[*prompt, *tokenizer(name, add_special_tokens=False)["input_ids"]]])
        assert ids.shape[1] > 2 * WINDOW
        likely = torch.log_softmax(model(input_ids=ids).logits[0], -1)
        wanted = sum(likely[n - 1, ids[0, n]].item() for n in range(len(prompt), ids.shape[1]))
        assert score == pytest.approx(wanted, abs=1e-4)


def test_windows_are_as_they_were_after_a_mistake() -> None:
    class Layer(nn.Module):
        sliding_window = None  # of the class: none of its own

        def __init__(self, window: int | None) -> None:
            super().__init__()
            self.sliding_window = window

    model = nn.Sequential(Layer(5), Layer(None), Layer(-1))

    def failing() -> None:
        with narrowed(model, 2):
            assert [layer.sliding_window for layer in model] == [2, None, -1]
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert [layer.sliding_window for layer in model] == [5, None, -1]

"""Packed rows under a stacked adapter against PEFT's own forward with the same weights, to 1e-5."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from causal_models import KINDS
from conftest import CausalMaker, stir

from fewshot.models.backbone import find_backbone
from fewshot.models.batch import Rows
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora

TEXTS = ("where is it", "a card that was lost somewhere", "please")
SMALL: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3}
SMALL |= {"num_attention_heads": 4, "vocab_size": 30522, "initializer_range": 0.1}
ENCODERS = {"bert": "BertConfig", "roberta": "RobertaConfig", "distilbert": "DistilBertConfig"}
CLOSE = 1e-5  # relative to the largest number


@pytest.mark.parametrize("kind", KINDS)
def test_logits_of_language_models(kind: str, make_causal: CausalMaker) -> None:
    learner = make_causal(kind)
    rows = Rows([(text, None) for text in TEXTS], [0] * 3, [0] * 3, [2], answers=("one", "two", "three"))
    placed = learner.place(learner.batch(rows))
    assert learner._body.packs == (kind != "gemma2")
    for part in placed.inputs.asked.text.parts:
        states, ids = learner._body.hidden(learner.start_body(1), part).flatten(0, 1), part.ids.flatten()
        lengths = part.packing.lengths if learner._body.packs else part.mask.sum(1).tolist()
        for start, length in zip(part.starts, lengths, strict=True):
            theirs = learner.peft(input_ids=ids[None, start : start + length]).logits[0]
            ours = learner._next._scores(states[start : start + length])
            assert (ours - theirs).abs().max() <= CLOSE * theirs.abs().max()


@pytest.mark.parametrize("kind", ENCODERS)
def test_states_of_encoders(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    config: Callable[..., Any] = getattr(transformers, ENCODERS[kind])
    sizes = {"dim": 32, "hidden_dim": 64, "n_layers": 3, "n_heads": 4} if kind == "distilbert" else {}
    tokenizer: Any = transformers.AutoTokenizer
    tokenizer.from_pretrained(find_backbone("minilm")).save_pretrained(tmp_path)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = transformers.AutoModel
        model.from_config(config(**(SMALL | sizes))).save_pretrained(tmp_path)
    lora = Lora(modules=("all-linear",), layers="all")
    learner = LoraEncoder(str(tmp_path), lora, compute=Compute(dtype="float32", products="blas"))
    stir(learner)
    placed = learner.place(learner.batch(Rows.of(TEXTS)))
    (part,) = placed.inputs.parts
    states = learner._body.hidden(learner.start_body(1), part)[0]
    for start, length in zip(part.starts, part.packing.lengths, strict=True):
        theirs = learner.peft(input_ids=part.ids[:, start : start + length]).last_hidden_state[0]
        assert (states[start : start + length] - theirs).abs().max() <= CLOSE * theirs.abs().max()

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from conftest import LearnerMaker, attribute_episodes

from fewshot.algorithms.algorithm import ready
from fewshot.models.backbone import find_backbone
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.inputs import Bucket, Packed
from fewshot.models.lora_settings import Lora
from fewshot.models.stack import Stack

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.1,
}
GROUPED = SMALL | {"num_key_value_heads": 2, "vocab_size": 30522}
CONFIGS = {
    "bert": transformers.BertConfig(**SMALL),
    "roberta": transformers.RobertaConfig(**SMALL, vocab_size=30522, max_position_embeddings=200),
    "distilbert": transformers.DistilBertConfig(
        dim=32, n_layers=3, n_heads=4, hidden_dim=64, initializer_range=0.1
    ),
    "gpt2": transformers.GPT2Config(
        vocab_size=30522, n_embd=32, n_layer=3, n_head=4, n_positions=200, initializer_range=0.1
    ),
    "llama": transformers.LlamaConfig(**GROUPED),
    "qwen2": transformers.Qwen2Config(**GROUPED),
    "qwen3": transformers.Qwen3Config(**GROUPED, head_dim=8),
    "mistral": transformers.MistralConfig(**GROUPED, sliding_window=6),
}
MODULES = {"distilbert": ("q_lin", "v_lin"), "gpt2": ("c_attn",)}
MODULES |= dict.fromkeys(("llama", "qwen2", "qwen3", "mistral"), ("q_proj", "v_proj"))


def learner_of(config: transformers.PreTrainedConfig, folder: Path, **options: Any) -> LoraEncoder:
    transformers.AutoTokenizer.from_pretrained(find_backbone("minilm")).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return LoraEncoder(backbone=str(folder), compute=Compute(dtype="float32", products="blas"), **options)


@pytest.mark.parametrize("layers", ["last:1", "all"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_packed_rows_above_the_prefix_have_the_states_of_whole_padded_ones(
    kind: str, layers: str, tmp_path: Path
) -> None:
    lora = Lora(layers=layers, modules=MODULES.get(kind, ("query", "value")))
    learner = learner_of(CONFIGS[kind], tmp_path, lora=lora)
    support, _ = ready(learner, attribute_episodes(2))
    (part,) = support.inputs.parts
    assert isinstance(part, Packed)
    with torch.no_grad():
        stack = learner.start(support)
        for name, tensor in stack.items():
            if name.endswith(".B"):
                tensor.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
        found = learner.features(stack, support)
        learner._body.packs = False
        padded, _ = ready(learner, attribute_episodes(2))
        assert all(isinstance(part, Bucket) for part in padded.inputs.parts)
        whole = learner.features(stack, padded)
        plain = learner.features(Stack({}), padded)
    assert torch.allclose(found, whole, atol=1e-5)
    assert not torch.allclose(found, plain, atol=1e-2)  # the adapter does something here


def test_a_backbone_that_cannot_be_cut_runs_whole_and_says_so(tmp_path: Path) -> None:
    config = transformers.MPNetConfig(**SMALL, vocab_size=30522)
    learner = learner_of(config, tmp_path, lora=Lora(layers="last:1", modules=("q", "v")))
    assert learner.note() == (
        "backbone: cpu, float32, eager attention; this backbone takes padded rows and runs whole: "
        "its layers cannot be passed over, or its attention packed"
    )
    support, _ = ready(learner, attribute_episodes(1))
    assert learner.features(learner.start(support), support).shape == (6, 32)


def test_the_note_says_how_many_layers_are_computed_once(make_learner: LearnerMaker) -> None:
    assert make_learner(lora=Lora(layers="last:1")).note() == (
        "backbone: cpu, float32, eager attention, frozen below layer 2: once a text"
    )


def test_the_backbone_is_whole_again_after_a_pass(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    names = [name for name, _ in learner.named_parameters()]
    support, _ = ready(learner, attribute_episodes(1))
    learner.features(learner.start(support), support)
    assert [name for name, _ in learner.named_parameters()] == names
    config: Any = learner.peft.get_base_model().config
    assert config._attn_implementation == "eager"

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from conftest import LearnerMaker, attribute_episodes

from fewshot.algorithms.algorithm import collate
from fewshot.models.backbone import find_backbone
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
CONFIGS = {
    "bert": transformers.BertConfig(**SMALL),
    "roberta": transformers.RobertaConfig(**SMALL, vocab_size=30522, max_position_embeddings=200),
    "distilbert": transformers.DistilBertConfig(dim=32, n_layers=3, n_heads=4, hidden_dim=64),
}
MODULES = {"distilbert": ("q_lin", "v_lin")}


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_prefix_is_exact(kind: str, tmp_path: Path) -> None:
    transformers.AutoTokenizer.from_pretrained(find_backbone("minilm")).save_pretrained(tmp_path)
    model = transformers.AutoModel.from_config(CONFIGS[kind])  # type: ignore[no-untyped-call]
    model.save_pretrained(tmp_path)
    lora = Lora(layers="last:1", modules=MODULES.get(kind, ("query", "value")))
    learner = LoraEncoder(backbone=str(tmp_path), lora=lora, compute=Compute(dtype="float32"))
    support, _ = collate(learner, attribute_episodes(2))
    stack = learner.start(support)
    assert all(bucket.prefix is not None for bucket in support.inputs.buckets)
    with torch.no_grad():
        known = learner.features(stack, support)
        for bucket in support.inputs.buckets:
            object.__setattr__(bucket, "prefix", None)
        assert torch.allclose(known, learner.features(stack, support), atol=1e-5)


def test_a_backbone_that_cannot_be_cut_runs_whole_and_says_so(tmp_path: Path) -> None:
    transformers.AutoTokenizer.from_pretrained(find_backbone("minilm")).save_pretrained(tmp_path)
    config = transformers.MPNetConfig(**SMALL, vocab_size=30522)
    model = transformers.AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(tmp_path)
    lora = Lora(layers="last:1", modules=("q", "v"))
    learner = LoraEncoder(backbone=str(tmp_path), lora=lora, compute=Compute(dtype="float32"))
    assert learner.note() == (
        "this backbone's layers cannot be passed over: its frozen ones run in every pass"
    )
    support, _ = collate(learner, attribute_episodes(1))
    assert learner.features(learner.start(support), support).shape == (6, 32)


def test_nothing_is_frozen_below_the_first_layer(make_learner: LearnerMaker) -> None:
    support, _ = collate(make_learner(lora=Lora(layers="all")), attribute_episodes(1))
    assert all(bucket.prefix is None for bucket in support.inputs.buckets)


def test_the_backbone_is_whole_again_after_a_pass(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    names = [name for name, _ in learner.named_parameters()]
    support, _ = collate(learner, attribute_episodes(1))
    learner.features(learner.start(support), support)
    assert [name for name, _ in learner.named_parameters()] == names

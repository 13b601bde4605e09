"""Blocks that are computed again: the same gradient, and less that is kept for it."""

from collections.abc import Sequence

import pytest
import torch
from conftest import CausalMaker, LearnerMaker, attribute_episodes
from torch import nn

from fewshot.algorithms.maml import MAML
from fewshot.chunks import Chunks
from fewshot.engine import Engine
from fewshot.models.compute import Compute
from fewshot.models.learner import Learner
from fewshot.models.lora_settings import Lora
from fewshot.models.recompute import recomputed
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import episodes
from fewshot.tasks.strings import StringTasks

PLAIN, LEAN = (Compute(dtype="float32", products="blas", recompute=again) for again in (False, True))


def gradient(learner: Learner, drawn: Sequence[Episode]) -> tuple[torch.Tensor, int]:
    """The meta-gradient, and the numbers that were kept for the backward passes."""
    algorithm, kept = MAML(1, 2, 0.05), 0

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    algorithm.prepare(learner)
    engine = Engine(learner, algorithm, Chunks(learner, len(drawn), True))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        engine.gradient(engine.collate(drawn))
    return torch.cat([p.grad.flatten() for p in learner.adapter().values() if p.grad is not None]), kept


@pytest.mark.parametrize("layers", ["last:2", "all"])
def test_the_meta_gradient_of_an_encoder_is_the_same(make_learner: LearnerMaker, layers: str) -> None:
    lora = Lora(layers=layers)
    drawn = attribute_episodes(2)
    whole, kept = gradient(make_learner(compute=PLAIN, lora=lora), drawn)
    again, less = gradient(make_learner(compute=LEAN, lora=lora), drawn)
    torch.testing.assert_close(again, whole, atol=1e-7, rtol=1e-4)
    assert whole.norm() > 0
    assert less < kept


def test_the_meta_gradient_of_written_answers_is_the_same(make_causal: CausalMaker) -> None:
    drawn = list(episodes(StringTasks(2, 2), "train", 0, range(2)))
    whole, _ = gradient(make_causal(compute=PLAIN), drawn)
    again, _ = gradient(make_causal(compute=LEAN), drawn)
    torch.testing.assert_close(again, whole, atol=1e-6, rtol=1e-3)


def test_blocks_are_left_as_they_were() -> None:
    own, plain = nn.Linear(2, 2), nn.Linear(2, 2)
    mine = plain.forward
    own.forward = mine  # type: ignore[method-assign]
    with recomputed([own, plain], torch.enable_grad):
        assert own.forward is not mine
        assert "forward" in plain.__dict__
    assert own.forward is mine
    assert "forward" not in plain.__dict__

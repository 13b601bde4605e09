"""Solved heads that are meta-trained both ways: queries as support examples, too."""

import pytest
import torch
from conftest import LearnerMaker

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.prototypes import ProtoNet
from fewshot.algorithms.ridge import R2D2
from fewshot.algorithms.solved import TrainedFeatures
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.family import episodes

MADE = {"ProtoNet": ProtoNet, "R2D2": R2D2}


@pytest.mark.parametrize("name", MADE)
def test_the_loss_is_the_mean_of_both_ways(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner()
    support, query = ready(
        learner, list(episodes(Attributes(way=3, shot=2, queries=1, mentions=4), "train", 0, range(2)))
    )

    def losses(algorithm: TrainedFeatures, *batches: object) -> torch.Tensor:
        return algorithm.meta_step(learner, *batches).losses  # type: ignore[arg-type]

    there, back = losses(MADE[name](), support, query), losses(MADE[name](), query, support)
    both = losses(MADE[name](both_ways=True), support, query)
    assert not torch.allclose(there, back, atol=1e-3)
    torch.testing.assert_close(both, (there + back) / 2)

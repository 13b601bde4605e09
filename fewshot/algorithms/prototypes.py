"""Nearest prototype, on frozen features or on features that are meta-trained for it.

Snell, Swersky, Zemel: Prototypical Networks for Few-shot Learning, NeurIPS 2017,
https://arxiv.org/abs/1703.05175.

    c_n = mean of the unit-length support features z of class n
    score(n) = -|z - c_n|^2  or  cos(z, c_n),    loss = cross-entropy of the query scores

Both are linear in z, up to what is the same for all classes: W_n = 2 c_n, b_n = -|c_n|^2, or
W_n = c_n / |c_n|, b_n = 0; so they are heads like any other, behind the learner's scale.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from fewshot.algorithms.solved import SolvedHead, TrainedFeatures
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import BIAS, WEIGHT, class_means, prototypes
from fewshot.models.learner import Learner

Metric = Literal["cosine", "euclidean"]
MakeHead = Callable[[Learner, Tensor, TaskBatch], dict[str, Tensor]]


class ProtoNet(TrainedFeatures):
    """Episodic training of the adapter so that prototypes classify; a task is learned without a gradient.

    Args:
        metric: 'cosine' or 'euclidean', of unit-length features.
        both_ways: the query set takes the place of the support set as well, so that an episode teaches twice.

    Raises:
        InputError: another metric.
    """

    def __init__(self, metric: Metric = "euclidean", both_ways: bool = False) -> None:
        super().__init__(both_ways)
        self.head = _head(metric)

    def solve(self, learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
        """Prototypes as the rows of a linear head."""
        return self.head(learner, features, support)


class FrozenPrototypes(SolvedHead):
    """The prototypes of the backbone without any adapter, and without training: the first baseline.

    Args:
        metric: 'cosine' or 'euclidean', of unit-length features.

    Raises:
        InputError: another metric.
    """

    def __init__(self, metric: Metric = "cosine") -> None:
        super().__init__()
        self.head = _head(metric)

    def solve(self, learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
        """Prototypes as the rows of a linear head."""
        return self.head(learner, features, support)


def cosine_head(learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
    """Weight (T, max way, H) and bias (T, max way) whose scores are cosines."""
    weight = prototypes(features, support)
    return {WEIGHT: weight, BIAS: weight.new_zeros(weight.shape[:2])}


def euclidean_head(learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
    """Weight and bias whose scores are negative squared distances, times the learner's scale."""
    means = class_means(features, support)
    return {WEIGHT: 2 * means, BIAS: -learner.head.log_scale.exp() * means.square().sum(-1)}


HEADS: dict[str, MakeHead] = {"cosine": cosine_head, "euclidean": euclidean_head}


def _head(metric: str) -> MakeHead:
    if metric not in HEADS:
        raise InputError(
            "unknown metric", where="metric of prototypes", got=metric, needed="'cosine' or 'euclidean'"
        )
    return HEADS[metric]

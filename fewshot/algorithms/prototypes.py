"""Nearest prototype, on frozen features or on features that are meta-trained for it.

Snell, Swersky, Zemel: Prototypical Networks for Few-shot Learning, NeurIPS 2017,
https://arxiv.org/abs/1703.05175.

    c_n = mean of the unit-length support features z of class n
    score(n) = -|z - c_n|^2  or  cos(z, c_n),    loss = cross-entropy of the query scores

Both are linear in z, up to what is the same for all classes: W_n = 2 c_n, b_n = -|c_n|^2, or
W_n = c_n / |c_n|, b_n = 0; so they are heads like any other, behind the learner's scale.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from fewshot.algorithms.algorithm import Adapted, Predictor
from fewshot.algorithms.refined import FromMeans, Refined
from fewshot.algorithms.ridge import positive, ridge_head
from fewshot.algorithms.solved import SolvedHead, TrainedFeatures
from fewshot.errors import InputError, listing, require_at_least
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import BIAS, WEIGHT, class_means
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack

Metric = Literal["cosine", "euclidean"]
Then = Literal["prototypes", "ridge", "k-means"]


class ProtoNet(TrainedFeatures):
    """Episodic training of the adapter so that prototypes classify; a task is learned without a gradient.

    Args:
        metric: 'cosine' or 'euclidean', of unit-length features.
        both_ways: the query set takes the place of the support set as well, so that an episode teaches twice.
        then: how a task is learned once the adapter is trained: by 'prototypes'; by 'ridge', ridge regression
            without intercept, which with one example a class is all but the same, and with more weighs them;
            or by 'k-means', prototypes refined by the queries: transductive, an answer depends on the others.
        strength: penalty of the ridge head.
        steps: of k-means.

    Raises:
        InputError: another metric, another way of learning, a strength that is not positive, no steps.
    """

    def __init__(
        self,
        metric: Metric = "euclidean",
        both_ways: bool = False,
        then: Then = "prototypes",
        strength: float = 1.0,
        steps: int = 10,
    ) -> None:
        super().__init__(both_ways)
        self.metric, self.strength = _known(metric), positive(strength)
        self.then, self.steps = then, steps
        if then not in get_args(Then):
            raise InputError("unknown", where="algorithm.then", got=then, needed=listing(get_args(Then)))
        require_at_least("algorithm", self, steps=1)
        self.takes_parts = then != "k-means"

    def prepare(self, learner: Learner) -> str:
        """Says whether queries are looked at together."""
        said = super().prepare(learner)
        return said if self.takes_parts else "transductive: an answer depends on the episode's other queries"

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """The prototypes, the ridge head, or what refines prototypes once the queries are there."""
        if self.then == "prototypes":
            return super().adapt(learner, support)
        with torch.no_grad():
            body = self.body(learner, support.tasks)
            if self.then == "k-means":
                return Refined(learner, body, support, HEADS[self.metric], self.steps)
            features = learner.features(body, support)
            head = ridge_head(learner, features, support, self.strength, intercept=False)
            return Adapted(learner, Stack(dict(body.items()) | head))

    def solve(self, learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
        """Prototypes as the rows of a linear head."""
        return HEADS[self.metric](learner, class_means(features, support))


class FrozenPrototypes(SolvedHead):
    """The prototypes of the backbone without any adapter, and without training: the first baseline.

    Args:
        metric: 'cosine' or 'euclidean', of unit-length features.

    Raises:
        InputError: another metric.
    """

    def __init__(self, metric: Metric = "cosine") -> None:
        super().__init__()
        self.metric = _known(metric)

    def solve(self, learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
        """Prototypes as the rows of a linear head."""
        return HEADS[self.metric](learner, class_means(features, support))


def cosine_head(learner: Learner, means: Tensor) -> dict[str, Tensor]:
    """Weight (T, max way, H) and bias (T, max way) whose scores are cosines."""
    weight = F.normalize(means, dim=-1)
    return {WEIGHT: weight, BIAS: weight.new_zeros(weight.shape[:2])}


def euclidean_head(learner: Learner, means: Tensor) -> dict[str, Tensor]:
    """Weight and bias whose scores are negative squared distances, times the learner's scale."""
    return {WEIGHT: 2 * means, BIAS: -learner.head.log_scale.exp() * means.square().sum(-1)}


HEADS: dict[Metric, FromMeans] = {"cosine": cosine_head, "euclidean": euclidean_head}


def _known(metric: Metric) -> Metric:
    if metric not in HEADS:
        raise InputError(
            "unknown metric", where="metric of prototypes", got=metric, needed="'cosine' or 'euclidean'"
        )
    return metric

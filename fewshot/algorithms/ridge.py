"""Ridge regression in closed form, on frozen features or on features that are meta-trained for it.

Bertinetto, Henriques, Torr, Vedaldi: Meta-learning with differentiable closed-form solvers, ICLR
2019, https://arxiv.org/abs/1805.08136 (R2-D2). With Z (n, H) the centred unit-length support features of
a task and Y (n, N) its centred one-hot labels,

    W = Z^T (Z Z^T + lambda I)^-1 Y,    b = mean(Y) - mean(Z) W,

the form that solves an n by n system, as n is small; or the same of what is not centred, with b = 0.
Meta-trained, lambda and the scale of the scores are learned with the adapter, through the solution.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewshot.algorithms.solved import SolvedHead, TrainedFeatures
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import BIAS, WEIGHT
from fewshot.models.learner import Learner


class R2D2(TrainedFeatures):
    """Episodic training of the adapter for a ridge head; a task is learned without a gradient.

    Args:
        strength: where lambda, the weight of the penalty, starts; it is learned.
        both_ways: the query set takes the place of the support set as well, so that an episode teaches twice.

    Raises:
        InputError: a strength that is not positive.
    """

    lr_factor = 10.0  # a logarithm

    def __init__(self, strength: float = 0.1, both_ways: bool = False) -> None:
        super().__init__(both_ways)
        self.log_strength = nn.Parameter(torch.tensor(math.log(positive(strength))))

    def solve(self, learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
        """Each task's system, with the learned penalty."""
        return ridge_head(learner, features, support, self.log_strength.exp().to(learner.device))


class FrozenRidge(SolvedHead):
    """A ridge head on the backbone without any adapter, and without training.

    Args:
        strength: lambda, the weight of the penalty.

    Raises:
        InputError: a strength that is not positive.
    """

    def __init__(self, strength: float = 0.1) -> None:
        super().__init__()
        self.strength = positive(strength)

    def solve(self, learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
        """Each task's system; scores carry the learner's scale, which changes no decision."""
        return ridge_head(learner, features, support, self.strength)


def ridge_head(
    learner: Learner,
    features: Tensor,
    support: TaskBatch,
    strength: float | Tensor,
    intercept: bool = True,
) -> dict[str, Tensor]:
    """Weight (T, max way, H) and bias (T, max way) of every task's ridge head.

    Args:
        learner: whose head it is.
        features: of the support rows, (R, H).
        support: the support sets.
        strength: lambda, the weight of the penalty.
        intercept: else nothing is centred, the bias is 0, and a large penalty gives sums of class features.

    Raises:
        InputError: a task without examples.
    """
    empty = torch.nonzero(support.rows == 0).flatten().tolist()
    if empty:
        raise InputError(
            "ridge regression needs examples",
            where=f"task {empty[0]} of {support.tasks}",
            got="an empty support set",
            needed="at least one example of each class",
        )
    unit = F.normalize(features, dim=-1)
    solved = [
        ridge(unit[rows], F.one_hot(support.labels[rows], max(support.ways)).to(unit), strength, intercept)
        for rows in (support.task == t for t in range(support.tasks))
    ]
    weight = torch.stack([weight.T for weight, _ in solved])
    bias = torch.stack([bias for _, bias in solved]) * learner.head.log_scale.exp()
    return {WEIGHT: weight, BIAS: bias}


def ridge(
    features: Tensor, targets: Tensor, strength: float | Tensor, intercept: bool = True
) -> tuple[Tensor, Tensor]:
    """Weights (H, N) and intercepts (N,) of `targets` (n, N) on `features` (n, H)."""
    mean, level = (each.mean(0) if intercept else torch.zeros_like(each[0]) for each in (features, targets))
    centred = features - mean
    gram = centred @ centred.T + strength * torch.eye(
        len(centred), dtype=features.dtype, device=features.device
    )
    weight = centred.T @ torch.linalg.solve(gram, targets - level)
    return weight, level - mean @ weight


def positive(strength: float) -> float:
    """A penalty's weight, checked."""
    if not strength > 0:
        raise InputError(
            "the penalty is not positive", where="ridge strength", got=strength, needed="above 0"
        )
    return strength

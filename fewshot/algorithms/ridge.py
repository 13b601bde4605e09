"""Ridge regression on frozen features, in closed form.

Bertinetto, Henriques, Torr, Vedaldi: Meta-learning with differentiable closed-form solvers, ICLR
2019, https://arxiv.org/abs/1805.08136. With Z (n, H) the centred unit-length support features of a
task and Y (n, N) its centred one-hot labels,

    W = Z^T (Z Z^T + lambda I)^-1 Y,    b = mean(Y) - mean(Z) W,

the form that solves an n by n system, as n is small.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fewshot.algorithms.algorithm import Adapted, Algorithm, Predictor
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import BIAS, WEIGHT
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class FrozenRidge(Algorithm):
    """A ridge head on the backbone without any adapter; the scores are the head's.

    Args:
        strength: lambda, the weight of the penalty.
    """

    adapts = False

    def __init__(self, strength: float = 0.1) -> None:
        super().__init__()
        if not strength > 0:
            raise InputError(
                "the penalty is not positive", where="ridge strength", got=strength, needed="above 0"
            )
        self.strength = strength

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """Solves each task's system; scores carry the learner's scale, which changes no decision."""
        with torch.no_grad():
            unit = F.normalize(learner.features(Stack({}), support), dim=-1)
            solved = [
                ridge(unit[rows], F.one_hot(support.labels[rows], max(support.ways)).to(unit), self.strength)
                for rows in (support.task == t for t in range(support.tasks))
            ]
            weight = torch.stack([weight.T for weight, _ in solved])
            scale = learner.head.log_scale.exp()
            bias = torch.stack([bias for _, bias in solved]) * scale
        return Adapted(learner, Stack({WEIGHT: weight, BIAS: bias}))


def ridge(features: Tensor, targets: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Weights (H, N) and intercepts (N,) of `targets` (n, N) on `features` (n, H)."""
    mean, level = features.mean(0), targets.mean(0)
    centred = features - mean
    gram = centred @ centred.T + strength * torch.eye(
        len(centred), dtype=features.dtype, device=features.device
    )
    weight = centred.T @ torch.linalg.solve(gram, targets - level)
    return weight, level - mean @ weight

"""Heads: how class scores come from row features, and where the head starts before adaptation.

All are linear maps of the unit-length feature `z`: score(n) = scale * (z . W_n) + b_n, with W
(T, N, H) and b (T, N) in the stack, adapted with the rest, and `scale` a meta-parameter.
"""

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.stack import Stack

WEIGHT, BIAS = "head.weight", "head.bias"


class Head(nn.Module, ABC):
    """A linear head on unit-length features.

    Args:
        size: H, the width of the features.
        scale: initial value of the factor before the scores.
    """

    equivariant = True  # permuting an episode's classes permutes its scores
    reads_support = False  # `start` needs the features of the support set
    distinguishes = True  # its start gives classes different scores, or can learn to

    def __init__(self, size: int, scale: float) -> None:
        super().__init__()
        self.size = size
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    @abstractmethod
    def weight(self, features: Tensor | None, support: TaskBatch) -> Tensor:
        """The head before adaptation, (T, max way, H)."""

    names: tuple[str, ...] = (WEIGHT, BIAS)  # its tensors in the stack

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What of each tensor of the stack is the same for all tasks and classes: no axis T, none N."""
        return {WEIGHT: (self.size,), BIAS: ()}

    def start(self, features: Tensor | None, support: TaskBatch) -> dict[str, Tensor]:
        """Weight and bias before adaptation, for the stack.

        Args:
            features: (R, H) of the support rows, or None for heads that do not read them.
            support: the support sets.
        """
        weight = self.weight(features, support)
        bias = weight.new_zeros(weight.shape[:2]).requires_grad_()
        return {WEIGHT: weight, BIAS: bias}

    def logits(self, stack: Stack, features: Tensor, batch: TaskBatch) -> Tensor:
        """Class scores (R, max way); -inf where a task lacks the class."""
        unit = F.normalize(features, dim=-1)
        scores = torch.einsum("rh,rnh->rn", unit, stack[WEIGHT].index_select(0, batch.task))
        scores = self.log_scale.exp() * scores + stack[BIAS].index_select(0, batch.task)
        return scores.masked_fill(batch.absent[batch.task], -torch.inf)


def class_sums(features: Tensor, support: TaskBatch) -> tuple[Tensor, Tensor]:
    """Sum of each class's unit-length features, (R, H) -> (T, max way, H), and its rows, (T, max way, 1)."""
    width = max(support.ways)
    slot = support.task * width + support.labels
    sums = features.new_zeros(support.tasks * width, features.shape[-1])
    sums = sums.index_add(0, slot, F.normalize(features, dim=-1))
    rows = torch.bincount(slot, minlength=support.tasks * width)
    return sums.view(support.tasks, width, -1), rows.view(support.tasks, width, 1)


def class_means(features: Tensor, support: TaskBatch) -> Tensor:
    """Mean of each class's unit-length features: (R, H) -> (T, max way, H); 0 for a class without rows."""
    sums, rows = class_sums(features, support)
    return sums / rows.clamp(min=1)


def prototypes(features: Tensor, support: TaskBatch) -> Tensor:
    """Unit-length mean of each class's unit-length features: (R, H) -> (T, max way, H).

    Snell, Swersky, Zemel: Prototypical Networks for Few-shot Learning, 2017.
    """
    return F.normalize(class_means(features, support), dim=-1)


class PrototypeHead(Head):
    """Starts from the prototypes of the support set, differentiated through."""

    reads_support = True

    def weight(self, features: Tensor | None, support: TaskBatch) -> Tensor:
        """The prototypes, (T, max way, H)."""
        assert features is not None
        return prototypes(features, support)


class SharedHead(Head):
    """Starts from one meta-learned vector for all classes; only the support set tells them apart."""

    distinguishes = False

    def __init__(self, size: int, scale: float) -> None:
        super().__init__(size, scale)
        self.vector = nn.Parameter(torch.zeros(size))

    def weight(self, features: Tensor | None, support: TaskBatch) -> Tensor:
        """The one vector for every class, (T, max way, H)."""
        return self.vector.expand(support.tasks, max(support.ways), self.size).clone()


class PerClassHead(Head):
    """Starts from a meta-learned vector for each class number, as MAML was published.

    Not permutation-equivariant: which class comes first changes the result. Needs a fixed way.
    """

    equivariant = False

    def __init__(self, size: int, scale: float, way: int = 5) -> None:
        super().__init__(size, scale)
        self.vectors = nn.Parameter(torch.zeros(way, size))

    def weight(self, features: Tensor | None, support: TaskBatch) -> Tensor:
        """The vectors in their order, (T, max way, H)."""
        if max(support.ways) > len(self.vectors):
            raise InputError(
                "the head has too few class vectors",
                where="model.head: per_class",
                got=f"an episode of {max(support.ways)} ways",
                needed=f"at most {len(self.vectors)} ways (model.head_ways)",
                fix="raise model.head_ways, or take the head 'prototype' or 'shared'",
            )
        return self.vectors[: max(support.ways)].expand(support.tasks, -1, -1).clone()


class LikelihoodHead(Head):
    """For models that score the class names themselves: their features are log-likelihoods of the names.

    Nothing of it is adapted to a task; only the factor before the scores is meta-learned.
    """

    names = ()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Nothing."""
        return {}

    def weight(self, features: Tensor | None, support: TaskBatch) -> Tensor:
        """Nothing, (T, max way, 0)."""
        return self.log_scale.new_zeros(support.tasks, max(support.ways), 0)

    def start(self, features: Tensor | None, support: TaskBatch) -> dict[str, Tensor]:
        """Nothing of the stack."""
        return {}

    def logits(self, stack: Stack, features: Tensor, batch: TaskBatch) -> Tensor:
        """Class scores (R, max way): the log-likelihoods (R, max way) times the factor."""
        scores = self.log_scale.exp() * features
        return scores.masked_fill(batch.absent[batch.task], -torch.inf)


HEADS: dict[str, type[Head]] = {"prototype": PrototypeHead, "shared": SharedHead, "per_class": PerClassHead}

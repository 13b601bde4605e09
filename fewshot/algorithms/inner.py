"""The inner loop: K gradient steps on the support sets of T tasks together.

What every gradient-based member is made of. A member says in its own file what differs: which
tensors move, from where, at which rates, and what the outer step makes of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Kingma, Ba: Adam: A Method for Stochastic Optimization, 2015


class SupportLoss:
    """The support loss of T tasks as a function of the tensors that the inner loop moves.

    Args:
        learner: the model.
        support: the support sets.
        start: the whole stack before the first step.
        moved: names of the tensors that move; the others stay as they start.
        anchor: lambda of the penalty `lambda / 2 * |theta - theta_0|^2` towards the start.
        first_order: its gradients are constants, so nothing beside the moved tensors needs a graph.
    """

    def __init__(
        self,
        learner: Learner,
        support: TaskBatch,
        start: Stack,
        moved: Collection[str],
        anchor: float = 0.0,
        first_order: bool = True,
    ) -> None:
        self.learner, self.support, self.anchor = learner, support, anchor
        self.start = start.detached() if first_order else start
        self.moved = [name for name, _ in start.items() if name in moved]
        self._still = dict(self.start.without(moved).items())
        self._features: Tensor | None = None
        if set(moved) <= set(learner.head.names):  # then they are the same in every step
            with torch.set_grad_enabled(not first_order):
                self._features = learner.features(self.start, support)

    def __call__(self, moved: Stack) -> Tensor:
        """Each task's mean loss over its own support rows, and its penalty, (T,)."""
        losses = self.learner.losses(self._scores(self.whole(moved)), self.support)
        if not self.anchor:
            return losses
        distances = [(tensor - self.start[name]).square().flatten(1).sum(1) for name, tensor in moved.items()]
        return losses + self.anchor / 2 * torch.stack(distances).sum(0)

    def whole(self, moved: Stack) -> Stack:
        """The stack that a forward pass reads: what moves and what does not."""
        return Stack(self._still | dict(moved.items()))

    @property
    def depends_on(self) -> list[Tensor]:
        """What its gradient is a function of beside the moved tensors."""
        # not what the features were computed from: a derivative would run through them once a step
        still = list(self._still.values()) if self._features is None else [self._features]
        start = [self.start[name] for name in self.moved] if self.anchor else []
        return [*self.learner.head.parameters(), *still, *start]

    def _scores(self, stack: Stack) -> Tensor:
        if self._features is None:
            return self.learner.logits(stack, self.support)
        return self.learner.head.logits(stack, self._features, self.support)


@dataclass
class Trace:
    """What happened on the way: each task's support loss before every step, each (T,)."""

    losses: list[Tensor] = field(default_factory=list)

    def first_not_finite(self) -> tuple[int, int] | None:
        """Step and task of the first loss that is NaN or infinite."""
        if not self.losses:
            return None
        wrong = torch.nonzero(~torch.isfinite(torch.stack(self.losses)))
        return (int(wrong[0, 0]), int(wrong[0, 1])) if len(wrong) else None


def moments(stack: Stack) -> dict[str, Tensor]:
    """Adam's two running means of every tensor, at zero."""
    return {
        f"{kind}:{name}": torch.zeros_like(t) for kind in ("first", "second") for name, t in stack.items()
    }


def adam(
    names: Sequence[str], gradients: Sequence[Tensor], state: Stack, number: int
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Adam's directions and the moments after them, differentiable.

    The small constant stands under the root, so that the derivative at 0 is a number.

    Args:
        names: of the tensors.
        gradients: of each.
        state: holds the moments.
        number: of the step, from 0.
    """
    directions: list[Tensor] = []
    after: dict[str, Tensor] = {}
    for name, gradient in zip(names, gradients, strict=True):
        first = BETA1 * state[f"first:{name}"] + (1 - BETA1) * gradient
        second = BETA2 * state[f"second:{name}"] + (1 - BETA2) * gradient.square()
        after |= {f"first:{name}": first, f"second:{name}": second}
        level = second / (1 - BETA2 ** (number + 1))
        directions.append(first / (1 - BETA1 ** (number + 1)) / (level + EPSILON**2).sqrt())
    return directions, after

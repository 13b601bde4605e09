"""Implicit MAML: the meta-gradient from where the inner loop ended, not from how it got there.

Rajeswaran, Finn, Kakade, Levine: Meta-Learning with Implicit Gradients, NeurIPS 2019,
https://arxiv.org/abs/1909.04630.

    phi = argmin over phi of L_support(phi) + lambda / 2 |phi - theta|^2
    d L_query / d theta = (I + H / lambda)^-1 grad L_query(phi),    H the Hessian of L_support at phi

phi is the stack after K inner steps, theta the stack at the start, lambda is `anchor`. The system is
solved by conjugate gradients on the stacked tensors, each task its own, with products H v from a second
derivative. Nothing of the inner steps is kept, so memory does not grow with K.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from fewshot.algorithms.algorithm import MetaStep
from fewshot.algorithms.inner import SupportLoss, Trace
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.reptile import along
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack

Vector = dict[str, Tensor]  # one (T, ...) by name; the inner products below are of each task


class IMAML(MAML):
    """MAML with the implicit gradient.

    Args:
        inner_steps: gradient steps on the support loss with its penalty.
        inner_lr: size of an inner step.
        anchor: lambda, the weight of the penalty towards the initialisation.
        cg_steps: steps of conjugate gradients.
        inner_optimiser: 'sgd' or 'adam'.

    Raises:
        InputError: as MAML; an anchor that is not positive; fewer than one step of conjugate gradients.
    """

    def __init__(
        self,
        inner_steps: int = 5,
        inner_lr: float = 0.2,
        anchor: float = 1.0,
        cg_steps: int = 5,
        inner_optimiser: Literal["sgd", "adam"] = "sgd",
    ) -> None:
        super().__init__(1, inner_steps, inner_lr, False, inner_optimiser, anchor)
        if not anchor > 0:
            raise InputError(
                "the implicit gradient needs a penalty",
                where="algorithm.anchor",
                got=anchor,
                needed="above 0: without one the inner optimum does not depend on the start",
            )
        if cg_steps < 1:
            raise InputError("too few steps", where="algorithm.cg_steps", got=cg_steps, needed="1 or more")
        self.takes_parts = False
        self.cg_steps = cg_steps

    def prepare(self, learner: Learner) -> str:
        """Sees to the second derivative."""
        super().prepare(learner)
        return learner.require_double_backward()

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """The implicit gradient as that of a surrogate; meta-parameters beside the stack get their own."""
        trace = Trace()
        start = self.start(learner, support)
        *_, last = self.path(learner, start.detached(), support, True, trace)
        leaves = Stack({name: tensor.detach().requires_grad_() for name, tensor in last.items()})
        scores = learner.logits(leaves, query)
        losses = learner.losses(scores, query)
        names = self.moved(learner)
        beside = list(learner.head.parameters())  # what is not in the stack, such as the scale
        asked = [*(leaves[name] for name in names), *beside]
        found = torch.autograd.grad(losses.sum(), asked, allow_unused=True)
        right = {name: each for name, each in zip(names, found, strict=False) if each is not None}
        solved = conjugate_gradients(self._matrix(learner, support, start, leaves), right, self.cg_steps)
        pairs = zip(beside, found[len(names) :], strict=True)
        direct = sum((value * each).sum() for value, each in pairs if each is not None) / query.tasks
        return MetaStep(losses.detach(), scores.detach(), along(start, solved) + direct, trace)

    def _matrix(
        self, learner: Learner, support: TaskBatch, start: Stack, leaves: Stack
    ) -> Callable[[Vector], Vector]:
        """V -> v + H v / lambda, at the adapted stack."""
        names = self.moved(learner)
        tensors = [leaves[name] for name in names]
        loss = SupportLoss(learner, support, start.detached(), names)  # H is without the penalty
        gradients = torch.autograd.grad(loss(leaves.part(names)).sum(), tensors, create_graph=True)

        def product(vector: Vector) -> Vector:
            pushed = [vector[name] for name in names]
            turned = torch.autograd.grad(gradients, tensors, pushed, retain_graph=True)
            pairs = zip(names, pushed, turned, strict=True)
            return {name: v + hv / self.anchor for name, v, hv in pairs}

        return product


def conjugate_gradients(matrix: Callable[[Vector], Vector], right: Vector, steps: int) -> Vector:
    """X with `matrix(x) = right`, T systems together.

    Args:
        matrix: symmetric and positive; of each task its own.
        right: the right sides.
        steps: at most; a task whose residual is 0 stays as it is.
    """
    solution = {name: torch.zeros_like(value) for name, value in right.items()}
    residual, direction = dict(right), dict(right)
    square = _dot(residual, residual)
    for _ in range(steps):
        turned = matrix(direction)
        curvature = _dot(direction, turned)
        # curvature that is not positive: the quadratic model has no minimum there, so the task stops
        goes = (square > 0) & (curvature > 0)
        length = torch.where(goes, square / curvature.where(goes, torch.ones_like(curvature)), 0.0)
        solution = _add(solution, length, direction)
        residual = _add(residual, -length, turned)
        after = _dot(residual, residual)
        turn = torch.where(goes, after / square.where(goes, torch.ones_like(square)), 0.0)
        direction = _add(residual, turn, direction)
        square = torch.where(goes, after, 0.0)
    return solution


def _dot(left: Vector, right: Vector) -> Tensor:
    """Inner product of each task, (T,)."""
    return torch.stack([(value * right[name]).flatten(1).sum(1) for name, value in left.items()]).sum(0)


def _add(left: Vector, factor: Tensor, right: Vector) -> Vector:
    """`left + factor * right`, the factor (T,) of each task."""
    return {
        name: value + factor.view(-1, *[1] * (value.dim() - 1)) * right[name] for name, value in left.items()
    }

"""An inner step that is computed again in the backward pass, so that memory does not grow with their number.

Only the stack before the step is kept, as in gradient checkpointing: Chen, Xu, Zhang, Guestrin: Training
Deep Nets with Sublinear Memory Cost, 2016, https://arxiv.org/abs/1604.06174, with one inner step of all
tasks as the unit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fewshot.models.stack import Stack

Step = Callable[[Stack, bool], Stack]  # a stack in, whether its gradients are constants, the stack after


class _Flat(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, step: Step, names: Sequence[str], parameters: Sequence[Tensor], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.step, ctx.names, ctx.parameters = step, names, parameters
        ctx.save_for_backward(*tensors[: len(names)])
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in tensors[: len(names)]]
            after = step(Stack(dict(zip(names, leaves, strict=True))), True)
        return tuple(after[name].detach() for name in names)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
            after = ctx.step(Stack(dict(zip(ctx.names, leaves, strict=True))), False)
        # the parameters themselves, as the step reads them where they lie
        wanted = [*leaves, *ctx.parameters]
        found = torch.autograd.grad([after[name] for name in ctx.names], wanted, grads, allow_unused=True)
        return (None, None, None, *found)


def flat_step(step: Step, stack: Stack, parameters: Sequence[Tensor]) -> Stack:
    """One inner step, differentiable through its gradients, that keeps nothing but its stack.

    Args:
        step: takes the step; called again in the backward pass.
        stack: what it starts from.
        parameters: leaves beside the stack that the step reads, such as inner rates.
    """
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    names = [name for name, _ in stack.items()]
    tensors = [tensor for _, tensor in stack.items()]
    after = _Flat.apply(step, names, parameters, *tensors, *parameters)  # type: ignore[no-untyped-call]
    return Stack(dict(zip(names, after, strict=True)))

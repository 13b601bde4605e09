"""Matrix products on the CPU by the faster of the two libraries that torch carries.

torch gives float32 products to its BLAS, whose kernels leave the AVX-512 of some processors unused. oneDNN,
which torch carries for bfloat16 and for compiled models, is about twice as fast there, in the same precision.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Products = Literal["blas", "onednn"]


def has_onednn() -> bool:
    """Whether this build of torch can be asked for oneDNN's products."""
    return bool(torch._C._has_mkldnn) and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x W^T + b` by oneDNN, differentiable any number of times; a bias is taken as a constant.

    Args:
        x: (..., in); what is not float32 on the CPU goes the usual way.
        weight: (out, in).
        bias: (out,), or None.
    """
    if x.dtype != torch.float32 or x.device.type != "cpu":
        return F.linear(x, weight, bias)
    result: Tensor = _Product.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return multiply(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        back = product(grad, weight.mT) if ctx.needs_input_grad[0] else None
        if x is None:
            return back, None, None
        return back, grad.flatten(0, -2).mT @ x.flatten(0, -2), None


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`product` without a derivative, for float32 on the CPU."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x.contiguous(), weight, bias, "none", [], "")
    return result


class FrozenLinear(nn.Linear):
    """A frozen linear map whose products are oneDNN's."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """(..., in) -> (..., out)."""
        return product(input, self.weight, self.bias)


def by_onednn(model: nn.Module) -> None:
    """Puts a `FrozenLinear` with the same weights in the place of every plain linear map of a model."""
    plain = [(name, module) for name, module in model.named_modules() if type(module) is nn.Linear]
    for name, module in plain:
        with torch.device("meta"):
            frozen = FrozenLinear(module.in_features, module.out_features, module.bias is not None)
        frozen.weight, frozen.bias = module.weight, module.bias
        model.set_submodule(name, frozen.train(module.training))


def operations(x: Any, weight: Any, *_: Any, **__: Any) -> int:
    """Of one product of oneDNN, for torch's counter: shapes in, a multiplication and an addition each."""
    return 2 * torch.Size(x).numel() * int(weight[0])


COUNTED = {torch.ops.mkldnn._linear_pointwise: operations} if has_onednn() else {}

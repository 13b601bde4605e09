"""Gradients of several backward passes, added up so that their order does not matter."""

from collections.abc import Iterable

from torch import Tensor, nn


class Gradients:
    """Sums in float64: rounded to float32 they are the same in any order, but for a rare last bit.

    That bit matters: where a gradient is next to nothing, AdamW makes a step of it all the same.
    """

    def __init__(self) -> None:
        self._sums: dict[nn.Parameter, Tensor] = {}

    def clear(self, parameters: Iterable[nn.Parameter]) -> None:
        """Nothing has been added up."""
        self._sums = {}
        for parameter in parameters:
            parameter.grad = None

    def take(self, parameters: Iterable[nn.Parameter]) -> None:
        """Adds what a backward pass left in `grad`, and empties that."""
        for parameter in parameters:
            if parameter.grad is not None:
                value = parameter.grad.double()
                before = self._sums.get(parameter)
                self._sums[parameter] = value if before is None else before.add_(value)
                parameter.grad = None

    def of(self, parameter: nn.Parameter) -> Tensor | None:
        """The sum, or the only gradient if nothing had to be added up; None where there is none."""
        return self._sums.get(parameter, parameter.grad)

    def put(self) -> None:
        """Gives the parameters their sums as `grad`."""
        for parameter, value in self._sums.items():
            parameter.grad = value.to(parameter.dtype)

"""How far the inner loop moves each tensor of the stack, and whether tasks move it the same way.

    d_t = theta_K - theta_0 of task t,    norm |d_t|,    relative |d_t| / |theta_0|,
    shared = mean over pairs of tasks of cos(d_t, d_u) = (|sum over t of d_t / |d_t||^2 - T) / (T (T - 1))

A shared direction near 1 means that every task asks for the same change, which the initialisation could
have held; near 0, that each task goes its own way.
"""

from typing import Any

from torch import Tensor

from fewshot.metrics.intervals import mean_interval
from fewshot.models.stack import Stack


class Movement:
    """Gathers the moves of tasks, some at a time."""

    def __init__(self) -> None:
        self._norms: dict[str, list[float]] = {}
        self._starts: dict[str, list[float]] = {}
        self._unit: dict[str, Tensor | None] = {}  # sum of the directions; None where shapes differ

    def add(self, start: Stack, end: Stack) -> None:
        """The moves of T tasks, from one stack to the other."""
        for name, before in start.items():
            move = (end[name] - before).reshape(len(before), -1).double()
            norms = move.norm(dim=1)
            self._norms.setdefault(name, []).extend(norms.tolist())
            self._starts.setdefault(name, []).extend(before.reshape(len(before), -1).norm(dim=1).tolist())
            still = norms == 0
            unit = (move / norms.masked_fill(still, 1)[:, None]).sum(0)
            self._unit[name] = _added(self._unit.get(name, unit.new_zeros(unit.shape)), unit)

    def rows(self) -> list[dict[str, Any]]:
        """`movement` of `inspection.json`: a row for every tensor that moved in some task."""
        return [self._row(name) for name, norms in self._norms.items() if any(norms)]

    def _row(self, name: str) -> dict[str, Any]:
        norms, starts = self._norms[name], self._starts[name]
        mean, std, *_ = mean_interval(norms)
        relative = [norm / start for norm, start in zip(norms, starts, strict=True) if start > 0]
        return {
            "tensor": name,
            "norm": {"mean": mean, "std": std},
            "relative": mean_interval(relative)[0] if len(relative) == len(norms) else None,
            "shared": self._shared(name),
        }

    def _shared(self, name: str) -> float | None:
        moved, unit = sum(norm > 0 for norm in self._norms[name]), self._unit[name]
        if moved < 2 or unit is None:
            return None
        return float((unit.square().sum().item() - moved) / (moved * (moved - 1)))


def _added(known: Tensor | None, more: Tensor) -> Tensor | None:
    """The sum; None once two tasks differ in shape, such as heads of another way."""
    return known + more if known is not None and known.shape == more.shape else None

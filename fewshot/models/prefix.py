"""The frozen prefix: what lies below the lowest adapted block is computed once for a batch.

Those blocks never change, so their output is a constant of the text. It is taken with a hook on
the first adapted block; later passes put it back and pass the blocks below over. The model's own
code runs in between untouched: embeddings, masks, rotary positions.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


class _Reached(Exception):  # noqa: N818 - no error
    """Raised where the prefix ends, so that nothing above it is computed."""

    def __init__(self, hidden: Tensor) -> None:
        self.hidden = hidden


class _Skip(nn.Module):
    """Stands in for a block of the prefix: returns the known states, or what it was given."""

    def __init__(self, known: Tensor | None) -> None:
        super().__init__()
        self._known = known

    def forward(self, hidden: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return hidden if self._known is None else self._known


class FrozenPrefix:
    """Cuts a backbone below its lowest adapted block.

    Args:
        backbone: the model.
        adapted: full names of the adapted modules, such as 'encoder.layer.4.attention.self.query'.
    """

    def __init__(self, backbone: nn.Module, adapted: Iterable[str]) -> None:
        places = {_block_of(name) for name in adapted}
        stacks = {path for path, _ in places}
        self._blocks = backbone.get_submodule(stacks.pop()) if len(stacks) == 1 else None
        self.depth = min(number for _, number in places) if self._blocks is not None else 0

    def compute(self, forward: Callable[[], Any]) -> Tensor | None:
        """Hidden states (B, L, H) that enter the first adapted block; None where nothing lies below it.

        Args:
            forward: runs the whole model on a batch.
        """
        if not self.depth:
            return None
        assert isinstance(self._blocks, nn.ModuleList)

        def stop(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            raise _Reached(args[0])

        hook = self._blocks[self.depth].register_forward_pre_hook(stop)
        try:
            with torch.no_grad():
                forward()
        except _Reached as reached:
            return reached.hidden
        finally:
            hook.remove()
        raise AssertionError("the adapted block did not run")

    def check(self, forward: Callable[[], Tensor]) -> str:
        """Gives the prefix up where a model's code does not allow for it.

        Args:
            forward: runs the whole model on some batch; gives its last states.

        Returns:
            What to tell the user; empty where the states are the same with and without the prefix.
        """
        if not self.depth:
            return ""
        with torch.no_grad():
            whole = forward()
            try:
                with self.known(self.compute(forward)):
                    same = torch.allclose(forward(), whole, rtol=1e-3, atol=1e-4)
            except Exception:  # blocks that give tuples, take keywords, are called otherwise: all mean no
                same = False
        if same:
            return ""
        self.depth = 0
        return "this backbone's layers cannot be passed over: its frozen ones run in every pass"

    @contextlib.contextmanager
    def known(self, hidden: Tensor | None) -> Iterator[None]:
        """Inside, the model starts from `hidden` at its first adapted block."""
        if hidden is None:
            yield
            return
        assert isinstance(self._blocks, nn.ModuleList)
        own = [self._blocks[number] for number in range(self.depth)]
        for number in range(self.depth):
            self._blocks[number] = _Skip(hidden if number == 0 else None)
        try:
            yield
        finally:
            for number, block in enumerate(own):
                self._blocks[number] = block


def _block_of(name: str) -> tuple[str, int]:
    """The list of blocks and the number in it: 'encoder.layer.4.x' -> ('encoder.layer', 4)."""
    parts = name.split(".")
    at = next(n for n, part in enumerate(parts) if part.isdigit())
    return ".".join(parts[:at]), int(parts[at])

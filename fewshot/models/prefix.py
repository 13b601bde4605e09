"""The frozen prefix: what lies below the lowest adapted block is a constant of the text.

The states that enter that block are taken with a hook; later passes put them back there and pass the
blocks below over. The model's own code runs in between untouched: masks, rotary positions, the norm
at the end.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

HIDDEN = "hidden_states"  # the name of a block's first argument in transformers


class _Reached(Exception):  # noqa: N818 - no error
    """Raised where the prefix ends, so that nothing above it is computed."""

    def __init__(self, hidden: Tensor) -> None:
        self.hidden = hidden


class _Skip(nn.Module):
    """Stands in for a block of the prefix."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return hidden_states


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
        self.depth = min(number for _, number in places)

    @property
    def possible(self) -> bool:
        """The adapted modules lie in one list of blocks."""
        return isinstance(self._blocks, nn.ModuleList)

    def compute(self, forward: Callable[[], Any]) -> Tensor:
        """Hidden states (B, L, H) that enter the first adapted block.

        Args:
            forward: runs the whole model on a batch.
        """

        def stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            raise _Reached(args[0] if args else kwargs[HIDDEN])

        hook = self._first.register_forward_pre_hook(stop, with_kwargs=True)
        try:
            with torch.no_grad():
                forward()
        except _Reached as reached:
            return reached.hidden
        finally:
            hook.remove()
        raise AssertionError("the adapted block did not run")

    @contextlib.contextmanager
    def known(self, hidden: Tensor) -> Iterator[None]:
        """Inside, the model starts from `hidden` at its first adapted block."""

        def put(
            _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            return ((hidden, *args[1:]), kwargs) if args else (args, kwargs | {HIDDEN: hidden})

        hook = self._first.register_forward_pre_hook(put, with_kwargs=True)
        assert isinstance(self._blocks, nn.ModuleList)
        own = [self._blocks[number] for number in range(self.depth)]
        for number in range(self.depth):
            self._blocks[number] = _Skip()
        try:
            yield
        finally:
            for number, block in enumerate(own):
                self._blocks[number] = block
            hook.remove()

    @property
    def _first(self) -> nn.Module:
        assert isinstance(self._blocks, nn.ModuleList)
        return self._blocks[self.depth]


def _block_of(name: str) -> tuple[str, int]:
    """The list of blocks and the number in it: 'encoder.layer.4.x' -> ('encoder.layer', 4)."""
    parts = name.split(".")
    at = next(n for n, part in enumerate(parts) if part.isdigit())
    return ".".join(parts[:at]), int(parts[at])

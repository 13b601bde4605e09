"""The frozen prefix: what lies below the lowest adapted block is a constant of the text.

The states that enter that block are taken with a hook; later passes put them back there and pass the
blocks below over. The model's own code runs in between untouched: masks, rotary positions, the norm
at the end.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

ALIGNED = 64  # bytes that kernels ask for at most
HIDDEN = "hidden_states"  # the name of a block's first argument in transformers


class _Reached(Exception):  # noqa: N818 - no error
    """Raised where the prefix ends, so that nothing above it is computed."""


class _Skip(nn.Module):
    """Stands in for a block of the prefix."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return hidden_states


class _Known(nn.Module):
    """Stands in for a linear map whose input is a constant of the text."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self._value = value

    def forward(self, _: Tensor) -> Tensor:
        return self._value


class FrozenPrefix:
    """Cuts a backbone below its lowest adapted block.

    Args:
        backbone: the model.
        adapted: full names of the adapted modules, such as 'encoder.layer.4.attention.self.query'.
        linear: the types of its linear maps.
    """

    def __init__(
        self, backbone: nn.Module, adapted: Iterable[str], linear: tuple[type[nn.Module], ...]
    ) -> None:
        places = {_block_of(name) for name in adapted}
        stacks = {path for path, _ in places}
        self._backbone, self._path = backbone, min(stacks)
        self._blocks = backbone.get_submodule(self._path) if len(stacks) == 1 else None
        self._linear = linear
        self.depth = min(number for _, number in places)
        self._fed: dict[str, nn.Module] = {}  # name within the block -> a map whose input is constant
        self.widths: list[int] = []  # of the pieces that the states of a token are made of

    @property
    def possible(self) -> bool:
        """The adapted modules lie in one list of blocks."""
        return isinstance(self._blocks, nn.ModuleList)

    @property
    def adapted(self) -> list[nn.Module]:
        """The blocks from the first adapted one on; none where they are not found."""
        return list(self._blocks)[self.depth :] if isinstance(self._blocks, nn.ModuleList) else []

    def extend(self, forward: Callable[[], Any]) -> None:
        """Takes what the frozen maps of the first adapted block make of constant input into the prefix.

        Such as the products with query, key and value: they need neither an adapter's output nor a gradient.

        Args:
            forward: runs the model from known states, with an adapter that requires gradients.
        """
        fed: dict[str, nn.Module] = {}
        asking: set[str] = set()

        def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
            def hook(module: nn.Module, args: tuple[Tensor, ...], _: Tensor) -> None:
                if args[0].requires_grad:
                    asking.add(name)
                fed[name] = module

            return hook

        maps = {name: m for name, m in self._first.named_modules() if isinstance(m, self._linear)}
        hooks = [module.register_forward_hook(note(name)) for name, module in maps.items()]
        try:
            with torch.enable_grad():
                forward()
        finally:
            for hook in hooks:
                hook.remove()
        self._fed = {name: module for name, module in fed.items() if name not in asking}

    def compute(self, forward: Callable[[], Any]) -> Tensor:
        """What is constant above the cut, side by side: (B, L, W), first the states that enter the block.

        Args:
            forward: runs the whole model on a batch.
        """
        pieces: list[Tensor] = []

        def keep(piece: Tensor) -> None:
            pieces.append(piece)
            if len(pieces) == 1 + len(self._fed):
                raise _Reached

        def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            keep(args[0] if args else kwargs[HIDDEN])

        def leave(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            keep(output)

        hooks = [self._first.register_forward_pre_hook(enter, with_kwargs=True)]
        hooks += [module.register_forward_hook(leave) for module in self._fed.values()]
        try:
            with torch.no_grad():
                forward()
        except _Reached:
            self.widths[:] = [piece.shape[-1] for piece in pieces]
            return torch.cat(pieces, dim=-1)
        finally:
            for hook in hooks:
                hook.remove()
        raise AssertionError("the adapted block did not run")

    @contextlib.contextmanager
    def known(self, states: Tensor) -> Iterator[None]:
        """Inside, the model starts from `states` (see `compute`) at its first adapted block."""
        hidden, *pieces = torch.split(states, self.widths, dim=-1)

        def put(
            _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            return ((hidden, *args[1:]), kwargs) if args else (args, kwargs | {HIDDEN: hidden})

        assert isinstance(self._blocks, nn.ModuleList)
        first, below = self._first, [self._blocks[number] for number in range(self.depth)]
        hook = first.register_forward_pre_hook(put, with_kwargs=True)
        for number in range(self.depth):
            self._blocks[number] = _Skip()
        for name, piece in zip(self._fed, pieces, strict=True):
            first.set_submodule(name, _Known(piece))
        try:
            yield
        finally:
            for name, module in self._fed.items():
                first.set_submodule(name, module)
            for number, block in enumerate(below):
                self._blocks[number] = block
            hook.remove()

    @contextlib.contextmanager
    def watched(self) -> Iterator[dict[int, Tensor]]:
        """Inside, what every block from the first adapted one on gives, by its number."""
        seen: dict[int, Tensor] = {}

        def keep(number: int) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
            def hook(_: nn.Module, args: tuple[Any, ...], output: Any) -> None:
                seen[number] = output[0] if isinstance(output, tuple) else output

            return hook

        hooks = [
            block.register_forward_hook(keep(n)) for n, block in enumerate(self.adapted, start=self.depth)
        ]
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()

    @cached_property
    def about(self) -> dict[str, Any]:
        """What the constant states depend on beside the text, the attention and the machine.

        Asked for when `extend` is through. All of it is frozen, so once will do.
        """
        config: Any = self._backbone.config
        return {
            "model": type(self._backbone).__name__,
            "config": {name: value for name, value in config.to_dict().items() if name != "_name_or_path"},
            "depth": self.depth,
            "projections": [_plain(name) for name in self._fed],
            "weights": self._weights(),
        }

    def _weights(self) -> str:
        """A hash of all that the states are computed with."""
        found = hashlib.sha256()
        for name, module in self._backbone.named_modules():
            if self._counts(name, module):
                # the type too: it says which library makes the products
                found.update(f"{_plain(name)} {type(module).__name__}\n".encode())
                for own in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
                    _add(found, *own)
        return found.hexdigest()

    def _counts(self, name: str, module: nn.Module) -> bool:
        """Whether a module has a part in the states: those of the blocks above the cut have none."""
        if not name.startswith(f"{self._path}."):
            return True
        return _block_of(name)[1] < self.depth or module in self._fed.values()

    @property
    def _first(self) -> nn.Module:
        assert isinstance(self._blocks, nn.ModuleList)
        return self._blocks[self.depth]


def _block_of(name: str) -> tuple[str, int]:
    """The list of blocks and the number in it: 'encoder.layer.4.x' -> ('encoder.layer', 4)."""
    parts = name.split(".")
    at = next(n for n, part in enumerate(parts) if part.isdigit())
    return ".".join(parts[:at]), int(parts[at])


def _plain(name: str) -> str:
    """The name of a map, whether it has an adapter or not."""
    return name.removesuffix(".base_layer")


def _add(found: "hashlib._Hash", name: str, value: Tensor) -> None:
    """Adds a tensor to a hash, with its place in memory: products of a single row depend on that."""
    place = value.data_ptr() % ALIGNED if value.device.type == "cpu" else 0
    found.update(f"{name} {value.dtype} {tuple(value.shape)} {place}\n".encode())
    found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)

"""Tensors of a safetensors file, held against what is wanted by its header before memory is taken."""

import contextlib
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor

from fewshot.errors import InputError

LONGEST_HEADER = 16 << 20  # bytes: some hundred thousand tensors
FLOATS = ("F64", "F32", "F16", "BF16")
PREFIX = "Error while deserializing header: "
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Wanted:
    """What a tensor has to be.

    Args:
        shape: of it.
        kinds: of its numbers, any of them, by safetensors' names.
    """

    shape: Shape
    kinds: Collection[str] = FLOATS

    def __str__(self) -> str:
        kinds = "floats" if self.kinds == FLOATS else " or ".join(self.kinds)
        return f"{kinds} of shape {self.shape}"


@dataclass(frozen=True)
class Held:
    """What a header says of a tensor.

    Args:
        kind: of its numbers, by safetensors' name.
        shape: of it.
    """

    kind: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.kind} of shape {self.shape}"


def read_tensors(
    path: Path,
    wanted: Mapping[str, Wanted] | None = None,
    optional: Collection[str] = (),
    what: str = "a file of tensors cannot be read",
    other: str = "the tensors are others than those that are needed",
    fix: object = None,
) -> dict[str, Tensor]:
    """The tensors of a file, in memory of their own.

    Args:
        path: a safetensors file.
        wanted: what it has to hold, and nothing else; None for anything.
        optional: names in `wanted` that it may lack.
        what: is said of a file that cannot be read.
        other: is said of a file that holds something else.
        fix: what to do about a file that holds something else.

    Raises:
        InputError: no such file, one that is not whole, or one that holds something else; then the message
            names the first tensor that differs, what it is and what it should be.
    """
    with _opened(path, what) as file:
        held = {name: _held(file, name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if wanted is not None:
            _check(held, wanted, optional, other, path, fix)
        return {name: file.get_tensor(name).clone() for name in held}


def read_header(path: Path, what: str = "a file of tensors cannot be read") -> dict[str, Held]:
    """What a file says of its tensors; none of them is read.

    Raises:
        InputError: no such file, or one that is not whole.
    """
    with _opened(path, what) as file:
        return {name: _held(file, name) for name in file.keys()}  # noqa: SIM118 - no mapping


@contextlib.contextmanager
def _opened(path: Path, what: str) -> Iterator[Any]:
    """The library holds the header against the file's length: what it lists is there, once, all of it."""
    try:
        if not path.is_file():
            raise InputError(what, where=path, got="no such file", needed="a safetensors file")
        size = path.stat().st_size
        with path.open("rb") as content:
            first = content.read(8)
        (header,) = struct.unpack("<Q", first) if len(first) == 8 else (0,)
        if not 0 < header <= min(LONGEST_HEADER, size - 8):
            raise InputError(
                what,
                where=path,
                got=f"a header of {header:,} bytes in a file of {size:,}",
                needed=f"a safetensors file, its header within it and of at most {LONGEST_HEADER:,} bytes",
            )
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except (OSError, safetensors.SafetensorError, ValueError, OverflowError) as error:
        got = getattr(error, "strerror", None) or " ".join(str(error).split()).removeprefix(PREFIX)[:200]
        raise InputError(what, where=path, got=got, needed="a whole safetensors file") from error


def _held(file: Any, name: str) -> Held:
    part = file.get_slice(name)
    return Held(str(part.get_dtype()), tuple(part.get_shape()))


def _check(
    held: Mapping[str, Held],
    wanted: Mapping[str, Wanted],
    optional: Collection[str],
    what: str,
    where: Path,
    fix: object,
) -> None:
    wrong = [n for n, each in wanted.items() if n in held and not _fits(held[n], each)]
    missing = [name for name in wanted if name not in held and name not in optional]
    more = [name for name in held if name not in wanted]
    differing = [*wrong, *missing, *more]
    if not differing:
        return
    name = differing[0]
    others = f"; {len(differing) - 1} more differ" if len(differing) > 1 else ""
    raise InputError(
        what,
        where=f"{where}, tensor {name[:200]}",
        got=f"{held.get(name, 'no such tensor')}{others}",
        needed=str(wanted.get(name, f"no such tensor, but {len(wanted)} others")),
        fix=fix,
    )


def _fits(held: Held, wanted: Wanted) -> bool:
    return held.shape == wanted.shape and held.kind in wanted.kinds

"""Adapters on disk in fewer bits or of lower rank; whoever reads them gets float32 matrices.

In bfloat16 they are PEFT's own format still. In 8 bits PEFT does not read them: each rank of a matrix is kept
as whole numbers with one factor, in a file of another name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import safetensors.torch
import torch
from torch import Tensor

from fewshot.errors import InputError
from fewshot.files import whole, write_json
from fewshot.untrusted.tensors import FLOATS, Shape, Wanted, read_header, read_tensors
from fewshot.untrusted.values import SMALL, read_json

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
EIGHT_BITS = "adapter_model.int8.safetensors"
FACTOR = ".factor"
HIGHEST = 1 << 16  # rank that a configuration may claim; the matrices have to agree with it
UNREADABLE = "the adapter cannot be read"
Kept = Literal["float32", "bfloat16", "int8"]


def read_adapter(folder: Path, shapes: Mapping[str, Shape] | None = None) -> dict[str, Tensor]:
    """The matrices of an adapter by PEFT's names, in float32.

    Args:
        folder: where they lie.
        shapes: that they must have; None for the matrices that the file's own configuration speaks of.

    Raises:
        InputError: no adapter there, a file that is not whole, other matrices; nothing is read before the
            header of the file fits.
    """
    small = (folder / EIGHT_BITS).is_file()
    path = folder / EIGHT_BITS if small else folder / WEIGHTS
    wanted = _wanted(_own_shapes(folder, path) if shapes is None else shapes, small)
    other = "the saved adapter is another than model.lora asks for"
    fix = "take the rank, modules and layers that it was trained with"
    values = read_tensors(path, wanted, what=UNREADABLE, other=other, fix=fix)
    return {
        name: value.float() * values[name + FACTOR] if name + FACTOR in values else value.float()
        for name, value in values.items()
        if not name.endswith(FACTOR)
    }


def _wanted(shapes: Mapping[str, Shape], small: bool) -> dict[str, Wanted]:
    """What the file holds: matrices of floats; or of whole numbers, with a factor for each rank."""
    found = {name: Wanted(shape, ("I8",) if small else FLOATS) for name, shape in shapes.items()}
    factors = {name + FACTOR: Wanted(_factor_shape(shape)) for name, shape in shapes.items()}
    return found | (factors if small else {})


def _own_shapes(folder: Path, path: Path) -> dict[str, Shape]:
    """The shapes in a file itself, as far as they are those of LoRA: pairs A (r, in) and B (out, r).

    Raises:
        InputError: something else, or another rank than the configuration has.
    """
    rank = int(read_config(folder)["r"])
    held = read_header(path, UNREADABLE)
    shapes = {name: each.shape for name, each in held.items() if not name.endswith(FACTOR)}
    for name, shape in shapes.items():
        down = ".lora_A." in name
        other = name.replace(*((".lora_A.", ".lora_B.") if down else (".lora_B.", ".lora_A.")))
        if other == name or other not in shapes or len(shape) != 2 or shape[0 if down else 1] != rank:
            raise InputError(
                "this is no matrix of LoRA, or one of another rank than its configuration has",
                where=f"{path}, tensor {name[:200]}",
                got=str(held[name]) + ("" if other in shapes else ", without its other half"),
                needed=f"A of shape ({rank}, in) and B of shape (out, {rank}) of each layer",
            )
    return shapes


def write_adapter(folder: Path, values: Mapping[str, Tensor], kept: Kept) -> None:
    """Writes the matrices of an adapter; its configuration is another file.

    Args:
        folder: where they go.
        values: by PEFT's names.
        kept: 'float32' or 'bfloat16', which PEFT reads, or 'int8'.

    Raises:
        InputError: another kind.
    """
    if kept not in get_args(Kept):
        raise InputError(
            "unknown kind of numbers", where="--dtype", got=kept, needed=", ".join(get_args(Kept))
        )
    if kept == "int8":
        factors = {name: _factor(value) for name, value in values.items()}
        small = {name: (value / factors[name]).round().to(torch.int8) for name, value in values.items()}
        content = small | {name + FACTOR: factor for name, factor in factors.items()}
    else:
        content = {name: value.to(getattr(torch, kept)) for name, value in values.items()}
    with whole(folder / (EIGHT_BITS if kept == "int8" else WEIGHTS)) as temporary:
        temporary.write_bytes(safetensors.torch.save({n: v.contiguous() for n, v in content.items()}))


def _factor(value: Tensor) -> Tensor:
    """What a whole number is worth: one factor for each of the r rows of A, or columns of B."""
    along = _along((value.shape[0], value.shape[1]))
    return value.abs().amax(along, keepdim=True).clamp(min=1e-12) / 127


def _along(shape: Shape) -> int:
    """The longer side, that of the layer; the other is the rank."""
    return int(shape[1] >= shape[0])


def _factor_shape(shape: Shape) -> Shape:
    along = _along(shape) if len(shape) == 2 else 0
    return tuple(1 if place == along else size for place, size in enumerate(shape))


def lower_rank(values: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """The best approximation of every product B A of the given rank, by its singular values.

    Eckart, Young: The approximation of one matrix by another of lower rank, Psychometrika, 1936.

    Args:
        values: A (r, in) and B (out, r) of each layer by PEFT's names.
        rank: at most r.

    Raises:
        InputError: a rank that is not below r.
    """
    found: dict[str, Tensor] = {}
    for name, down in values.items():
        if ".lora_A." not in name:
            continue
        other = name.replace(".lora_A.", ".lora_B.")
        if not 1 <= rank <= len(down):
            raise InputError(
                "no such rank",
                where="--rank",
                got=rank,
                needed=f"from 1 to {len(down)}, the rank that is there",
            )
        left, right = torch.linalg.qr(values[other].double()), torch.linalg.qr(down.double().T)
        u, sizes, v = torch.linalg.svd(left.R @ right.R.T)  # (r, r): the product itself is never made
        root = sizes[:rank].sqrt()
        found[name] = (root[:, None] * (v[:rank] @ right.Q.T)).float()
        found[other] = ((left.Q @ u[:, :rank]) * root).float()
    return found


def read_config(folder: Path) -> dict[str, Any]:
    """PEFT's configuration of an adapter.

    Raises:
        InputError: none that can be read, another method than LoRA, a rank or an alpha that is none.
    """
    path = folder / CONFIG
    try:
        content: dict[str, Any] = read_json(path, SMALL)
        found = content["peft_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        got = f"no readable {CONFIG}: {error}" if path.is_file() else f"no readable {CONFIG}"
        raise InputError("there is no adapter", where=folder, got=got) from error
    if found != "LORA":
        raise InputError("this adapter is not one of LoRA", where=path, got=repr(found)[:80], needed="LORA")
    _check_number(path, "r", content.get("r"), HIGHEST)
    _check_number(path, "lora_alpha", content.get("lora_alpha"), HIGHEST)
    return content


def _check_number(path: Path, name: str, value: object, most: int) -> None:
    whole_number = isinstance(value, int) and not isinstance(value, bool)
    if not whole_number or not 1 <= value <= most:  # type: ignore[operator]  # it is one
        raise InputError(
            f"the adapter's {name} is none",
            where=path,
            got=repr(value)[:80],
            needed=f"a whole number from 1 to {most:,}",
        )


def write_config(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes PEFT's configuration."""
    write_json(folder / CONFIG, dict(content))

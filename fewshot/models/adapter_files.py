"""Adapters on disk in fewer bits or of lower rank; whoever reads them gets float32 matrices.

In bfloat16 they are PEFT's own format still. In 8 bits PEFT does not read them: each rank of a matrix is kept
as whole numbers with one factor, in a file of another name.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import safetensors.torch
import torch
from torch import Tensor

from fewshot.errors import InputError
from fewshot.files import whole, write_json

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
EIGHT_BITS = "adapter_model.int8.safetensors"
FACTOR = ".factor"
Kept = Literal["float32", "bfloat16", "int8"]


def read_adapter(folder: Path) -> dict[str, Tensor]:
    """The matrices of an adapter by PEFT's names, in float32.

    Raises:
        InputError: no adapter there, or a file that is not whole.
    """
    path = folder / EIGHT_BITS if (folder / EIGHT_BITS).is_file() else folder / WEIGHTS
    try:
        values = safetensors.torch.load(path.read_bytes())
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError("the adapter cannot be read", where=path, got=str(error)) from error
    return {
        name: value.float() * values[name + FACTOR] if name + FACTOR in values else value.float()
        for name, value in values.items()
        if not name.endswith(FACTOR)
    }


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
    along = int(value.shape[1] >= value.shape[0])
    return value.abs().amax(along, keepdim=True).clamp(min=1e-12) / 127


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
        InputError: none that can be read, or another method than LoRA.
    """
    path = folder / CONFIG
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = content["peft_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("there is no adapter", where=folder, got=f"no readable {CONFIG}") from error
    if found != "LORA":
        raise InputError("this adapter is not one of LoRA", where=path, got=found, needed="LORA")
    return content


def write_config(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes PEFT's configuration."""
    write_json(folder / CONFIG, dict(content))

"""The meta-parameters by name, in memory and on disk (safetensors only, nothing is unpickled)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn

from fewshot.algorithms.algorithm import Algorithm
from fewshot.errors import InputError, listing
from fewshot.files import whole
from fewshot.models.learner import Learner

T = TypeVar("T")


def meta_parameters(model: Learner, algorithm: Algorithm) -> dict[str, nn.Parameter]:
    """Everything that the outer loop learns: `adapter.*`, `head.*` and `algorithm.*`."""
    others: dict[str, nn.Parameter] = {f"head.{name}": value for name, value in model.head.named_parameters()}
    others |= {f"algorithm.{name}": value for name, value in algorithm.named_parameters()}
    return {f"adapter.{name}": value for name, value in model.adapter().items()} | others


def snapshot(parameters: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """A copy of the values, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in parameters.items()}


def restore(parameters: dict[str, nn.Parameter], values: dict[str, Tensor], where: object) -> None:
    """Writes `values` into the parameters of the same names.

    Raises:
        InputError: names or shapes that differ.
    """
    wanted = {name: tuple(value.shape) for name, value in parameters.items()}
    found = {name: tuple(value.shape) for name, value in values.items()}
    if wanted != found:
        different = sorted(name for name, _ in wanted.items() ^ found.items())
        raise InputError(
            "these meta-parameters belong to another model or algorithm",
            where=where,
            got=f"{len(different)} names or shapes that differ: {listing(dict.fromkeys(different))}",
            needed="the model and the algorithm of the run that wrote them",
        )
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)


def save_tensors(path: Path, values: dict[str, Tensor]) -> None:
    """Writes tensors, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(values))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Reads what `save_tensors` wrote.

    Raises:
        InputError: no such file, or one that is not whole.
    """
    try:
        return safetensors.torch.load(path.read_bytes())
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError("a file of tensors cannot be read", where=path, got=str(error)) from error


def save_meta(folder: Path, model: Learner, algorithm: Algorithm) -> None:
    """`adapter/` in PEFT's format and `meta.safetensors` with what PEFT has no place for."""
    with whole(folder / "adapter") as temporary:
        model.save_adapter(temporary)
    kept = _beside_adapter(meta_parameters(model, algorithm), algorithm)
    save_tensors(folder / "meta.safetensors", snapshot(kept))


def load_meta(folder: Path, model: Learner, algorithm: Algorithm) -> None:
    """Reads what `save_meta` wrote into a model and an algorithm that is prepared for it."""
    model.load_adapter(folder / "adapter")
    parameters = meta_parameters(model, algorithm)
    values = load_tensors(folder / "meta.safetensors")
    restore(_beside_adapter(parameters, algorithm), values, folder)


def beside_scaffold(values: Mapping[str, T], algorithm: Algorithm) -> dict[str, T]:
    """Meta-parameters without what only training needs."""
    left = {f"algorithm.{name}" for name in algorithm.scaffold}
    return {name: value for name, value in values.items() if name not in left}


def _beside_adapter(values: Mapping[str, T], algorithm: Algorithm) -> dict[str, T]:
    """What PEFT has no place for, without what only training needs."""
    kept = beside_scaffold(values, algorithm)
    return {name: value for name, value in kept.items() if not name.startswith("adapter.")}

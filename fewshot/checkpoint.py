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
from fewshot.untrusted.tensors import Wanted, read_tensors

T = TypeVar("T")
OTHER = "these meta-parameters belong to another model or algorithm"


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
        different = sorted({name for name, _ in wanted.items() ^ found.items()})
        raise InputError(
            OTHER,
            where=where,
            got=f"{len(different)} names or shapes that differ: {listing(different)}",
            needed="the model and the algorithm of the run that wrote them",
        )
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)


def save_tensors(path: Path, values: dict[str, Tensor]) -> None:
    """Writes tensors, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(values))


def save_meta(folder: Path, model: Learner, algorithm: Algorithm) -> None:
    """`adapter/` in PEFT's format and `meta.safetensors` with what PEFT has no place for."""
    with whole(folder / "adapter") as temporary:
        model.save_adapter(temporary)
    kept = _beside_adapter(meta_parameters(model, algorithm), algorithm)
    save_tensors(folder / "meta.safetensors", snapshot(kept))


def load_meta(folder: Path, model: Learner, algorithm: Algorithm) -> None:
    """Reads what `save_meta` wrote into a model and an algorithm that is prepared for it."""
    model.load_adapter(folder / "adapter")
    parameters = _beside_adapter(meta_parameters(model, algorithm), algorithm)
    wanted = {name: Wanted(tuple(value.shape)) for name, value in parameters.items()}
    file = folder / "meta.safetensors"
    fix = "take the configuration of the run that wrote them"
    restore(parameters, read_tensors(file, wanted, other=OTHER, fix=fix), file)


def beside_scaffold(values: Mapping[str, T], algorithm: Algorithm) -> dict[str, T]:
    """Meta-parameters without what only training needs."""
    left = {f"algorithm.{name}" for name in algorithm.scaffold}
    return {name: value for name, value in values.items() if name not in left}


def _beside_adapter(values: Mapping[str, T], algorithm: Algorithm) -> dict[str, T]:
    """What PEFT has no place for, without what only training needs."""
    kept = beside_scaffold(values, algorithm)
    return {name: value for name, value in kept.items() if not name.startswith("adapter.")}

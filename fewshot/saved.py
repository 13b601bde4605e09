"""Saved states of a training: whole files whose names have their checksums, the latest few of them."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import safetensors
import safetensors.torch
from torch import Tensor

from fewshot.errors import InputError
from fewshot.files import whole
from fewshot.untrusted.values import parse_json

NAME = re.compile(r"step-(\d{8,12})\.([0-9a-f]{16})\.safetensors")
Facts = Mapping[str, Any]


class Stateful(Protocol):
    """A part of a training that goes on where it was."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors by name, and what JSON holds."""

    def load(self, tensors: Mapping[str, Tensor], facts: Facts) -> None:
        """Takes what `state` gave."""


@dataclass(frozen=True)
class State:
    """A training after so many outer steps.

    Args:
        step: how many.
        tensors: by name.
        facts: what JSON holds.
    """

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    @classmethod
    def of(cls, step: int, parts: Mapping[str, Stateful], facts: Facts) -> "State":
        """Gathers the parts of a training; their tensors have the names of their parts before their own."""
        states = {part: each.state() for part, each in parts.items()}
        tensors = {
            f"{part}/{name}": value.detach().cpu().clone().contiguous()
            for part, (own, _) in states.items()
            for name, value in own.items()
        }
        return cls(step, tensors, {**facts, "parts": {part: own for part, (_, own) in states.items()}})

    def load(self, parts: Mapping[str, Stateful]) -> None:
        """Gives the parts of a training what they had."""
        for part, each in parts.items():
            begin = f"{part}/"
            own = {
                name.removeprefix(begin): value
                for name, value in self.tensors.items()
                if name.startswith(begin)
            }
            each.load(own, self.facts["parts"][part])


class DamagedError(InputError):
    """A saved state is not as it was written."""


class States:
    """The states in a folder.

    Args:
        folder: where they are, or will be.
        keep: how many of the latest are kept.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder, self._keep = folder, keep

    def write(self, state: State) -> None:
        """Writes a state, whole or not at all, then removes the oldest, and others that are not before it.

        Raises:
            UnwritableError: the disk is full or cannot be written.
        """
        about = {"step": str(state.step), "facts": json.dumps(state.facts)}
        content = safetensors.torch.save(state.tensors, about)
        own = self._folder / f"step-{state.step:08d}.{_digest(content)}.safetensors"
        with whole(own) as temporary:
            temporary.write_bytes(content)
        found = self._found()
        before = [path for path in found if _step(path) < state.step]
        kept = {own, *before[max(0, len(before) - self._keep + 1) :]}
        # another one that is as late, or later, was damaged: the training has come from a state before it
        for path in set(found) - kept:
            path.unlink(missing_ok=True)

    def latest(self, say: Callable[[str], None]) -> State | None:
        """The latest state that is as it was written; None where none was saved.

        Args:
            say: is told of those that are not.

        Raises:
            InputError: all are damaged, or the disk does not give one.
        """
        found = self._found()
        for path in reversed(found):
            try:
                return _read(path)
            except DamagedError as error:
                say(f"{error}\n  the state before it is taken" if path != found[0] else str(error))
        if found:
            raise InputError(
                "no saved state is as it was written",
                where=self._folder,
                got=f"{len(found)} that are damaged",
                needed="a whole one, to go on with",
                fix="bring one back from a copy, or train anew: another --out, or --overwrite",
            )
        return None

    def _found(self) -> list[Path]:
        """From the earliest to the latest."""
        named = [path for path in self._folder.glob("step-*") if NAME.fullmatch(path.name)]
        return sorted(named, key=_step)


def _step(path: Path) -> int:
    return int(path.name.split(".")[0].removeprefix("step-"))


def _read(path: Path) -> State:
    """A state.

    Raises:
        DamagedError: it is not what was written under this name.
        InputError: the disk does not give it.
    """
    found = NAME.fullmatch(path.name)
    assert found, "`_found` lists no others"
    step, digest = int(found[1]), found[2]
    try:
        got = _digest(path.read_bytes())
        if got != digest:
            raise DamagedError(
                "a saved state is damaged", where=path, got=f"checksum {got}", needed=f"checksum {digest}"
            )
        with safetensors.safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about.get("step") != str(step):
            raise DamagedError(
                "a saved state has the name of another", where=path, got=f"the state of step {about['step']}"
            )
        return State(step, tensors, parse_json(about["facts"], numbers=False))
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise DamagedError("a saved state is damaged", where=path, got=str(error)) from error
    except OSError as error:
        raise InputError("a saved state cannot be read", where=path, got=error.strerror or error) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]

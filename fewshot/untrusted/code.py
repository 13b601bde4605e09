"""Code that a run names: a run directory may be a stranger's, and what it names would be imported and called.

The classes and functions of this package are known. A user's own, by import path, are taken from a run only
where FEWSHOT_TRUST names their module; without it a run with `steps: [os.system]` would be a command.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from fewshot.errors import InputError

TRUST = "FEWSHOT_TRUST"  # modules, commas between
OURS = "fewshot"
CLASS = "class_path"
FUNCTIONS = ("steps", "operations")  # arguments whose values are names of functions
PARTS = ("family", "model", "algorithm")


def check_code(config: Mapping[str, Any], where: object) -> None:
    """Refuses a configuration from a run directory that names code outside of this package.

    Args:
        config: in the form of `config.yaml`.
        where: the file, for the message.

    Raises:
        InputError: a class or a function of a module that is not trusted.
    """
    trusted = {OURS, *(name.strip() for name in os.environ.get(TRUST, "").split(",") if name.strip())}
    for name in _named({part: config[part] for part in PARTS if part in config}):
        module = name.replace(":", ".").split(".")[0]
        if ("." in name or ":" in name) and not (module in trusted or _within(name, trusted)):
            raise InputError(
                "the run names code that is not part of fewshot",
                where=where,
                got=name[:200],
                needed="classes and functions of fewshot itself",
                fix=f"if you trust whoever wrote the run and that code, set {TRUST}={module[:60]}",
            )


def _within(name: str, trusted: set[str]) -> bool:
    return any(name.startswith((f"{each}.", f"{each}:")) for each in trusted)


def _named(parts: Mapping[str, Any]) -> Iterator[str]:
    """Every name in a configuration that would be imported."""
    yield from (value for value in parts.values() if isinstance(value, str))
    waiting: list[Any] = list(parts.values())
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            yield from _strings(each.get(CLASS))
            for key in FUNCTIONS:
                yield from _strings(each.get(key))
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each


def _strings(value: Any) -> Iterator[str]:
    values = value if isinstance(value, list | tuple) else [value]
    yield from (each for each in values if isinstance(each, str))

"""Code that a run names: a run directory may be a stranger's, and what it names would be called.

Classes by import path have to be families, models or algorithms, which the parser checks; Python itself has
none. A function has no such mark: with `steps: [os.system]` the texts of the data would be commands. So of a
run those are taken that are this package's or the user's own, in files that belong neither to Python nor to
what is installed beside it; FEWSHOT_TRUST names modules that are trusted besides.
"""

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fewshot.errors import InputError

TRUST = "FEWSHOT_TRUST"  # modules, commas between
OURS = "fewshot"
PARTS = ("family", "model", "algorithm")
CLASS = "class_path"
FUNCTIONS = ("steps", "operations")  # arguments whose values are names of functions
INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")


def check_code(config: Mapping[str, Any], where: object) -> None:
    """Refuses a configuration from a run directory that names code of Python or functions that are installed.

    Args:
        config: in the form of `config.yaml`.
        where: the file, for the message.

    Raises:
        InputError: such code, of a module that is not trusted.
    """
    trusted = {OURS, *(name.strip() for name in os.environ.get(TRUST, "").split(",") if name.strip())}
    for name, is_class in _named(config):
        module = name.replace(":", ".").split(".")[0]
        fits = module not in sys.stdlib_module_names if is_class else _is_own(module)
        if ("." in name or ":" in name) and module not in trusted and not fits:
            raise InputError(
                "the run names code that is neither fewshot's nor your own",
                where=where,
                got=name[:200],
                needed="code of fewshot, or of a file of yours that is on the path",
                fix=f"if you trust whoever wrote the run, set {TRUST}={module[:60]}",
            )


def _is_own(module: str) -> bool:
    """Whether a module lies outside of Python and of what is installed; it is not imported for that."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    if found is None or not found.origin or found.origin in ("built-in", "frozen"):
        return False
    installed = [Path(sysconfig.get_path(name)).resolve() for name in INSTALLED]
    return not any(Path(found.origin).resolve().is_relative_to(each) for each in installed)


def _named(config: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Every name in a configuration of what would be called, and whether it is that of a class."""
    parts = [config[part] for part in PARTS if part in config]
    yield from ((part, True) for part in parts if isinstance(part, str))
    waiting: list[Any] = parts
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            yield from ((name, True) for name in _strings(each.get(CLASS)))
            yield from ((name, False) for key in FUNCTIONS for name in _strings(each.get(key)))
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each


def _strings(value: Any) -> Iterator[str]:
    values = value if isinstance(value, list | tuple) else [value]
    yield from (each for each in values if isinstance(each, str))

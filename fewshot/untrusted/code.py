"""Code that a run names: a run directory may be a stranger's, and what it names would be called.

Classes by import path have to be families, models or algorithms, which the parser checks; Python itself has
none. A function has no such mark: with `steps: [os.system]` the texts of the data would be commands. So of a
run those are taken that are this package's or the user's own, in files that belong neither to Python nor to
what is installed beside it; FEWSHOT_TRUST names modules that are trusted besides.
"""

import importlib.util
import os
import pkgutil
import sys
import sysconfig
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from fewshot.errors import InputError

TRUST = "FEWSHOT_TRUST"  # modules, commas between
OURS = "fewshot"
PARTS = ("family", "model", "algorithm")
CLASS = "class_path"
FUNCTIONS = ("steps", "operations")  # arguments whose values are names of functions
INSTALLED = {"site-packages", "dist-packages"}


def check_code(config: Mapping[str, Any], where: object) -> None:
    """Refuses a configuration from a run directory that names code of Python or functions that are installed.

    Args:
        config: in the form of `config.yaml`.
        where: the file, for the message.

    Raises:
        InputError: such code, of a module that is not trusted.
    """
    given = {name.strip() for name in os.environ.get(TRUST, "").split(",") if name.strip()}
    for name, is_class in _named(config):
        module = _root(name)
        if ("." in name or ":" in name) and module not in given and not _fits(name, is_class, given):
            raise InputError(
                "the run names code that is neither fewshot's nor your own",
                where=where,
                got=name[:200],
                needed="code of fewshot, or of a file of yours that is on the path",
                fix=f"if you trust whoever wrote the run, set {TRUST}={module[:60]}",
            )


def _root(name: str) -> str:
    return name.replace(":", ".").split(".")[0]


def _fits(name: str, is_class: bool, given: Collection[str]) -> bool:
    """Whether a class may be one of ours, or a function is ours or the user's, wherever it is named."""
    if is_class:
        return _root(name) not in sys.stdlib_module_names
    if not _is_own(_root(name)):
        return False
    try:
        found = pkgutil.resolve_name(name)  # its module is ours or the user's, and would be imported anyway
    except (ImportError, AttributeError, ValueError):
        return True  # who builds the part says so
    home = _root(str(getattr(found, "__module__", None)))  # `fewshot.files.os.system` is of the module posix
    return home in given or _is_own(home)


def _is_own(module: str) -> bool:
    """Whether a module is ours, or lies outside of Python and of what is installed; it is not imported."""
    if module == OURS:
        return True
    if module in sys.builtin_module_names:
        return False
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    places = [*(found.submodule_search_locations or ()), found.origin] if found else []
    files = [Path(place).resolve() for place in places if place and place not in ("built-in", "frozen")]
    python = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    installed = any(set(file.parts) & INSTALLED or any(map(file.is_relative_to, python)) for file in files)
    return bool(files) and not installed


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

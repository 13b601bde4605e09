"""Code that a run names: a run directory may be a stranger's, and what it names would be called.

Classes by import path have to be families, models or algorithms, which the parser checks; Python itself has
none. A function has no such mark: with `steps: [os.system]` the texts of the data would be commands. So of a
run those are taken that are this package's or the user's own, in files that belong neither to Python nor to
what is installed beside it; FEWSHOT_TRUST names modules that are trusted besides. What lies in a run itself
came with it and is nobody's own, since importing it is enough to run it. All names are judged before any of
them is imported.
"""

import os
import sys
import sysconfig
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fewshot.errors import InputError
from fewshot.importing import imported
from fewshot.untrusted.naming import Use, named
from fewshot.untrusted.places import files_of, was_handed_over
from fewshot.untrusted.values import MalformedError

TRUST = "FEWSHOT_TRUST"  # modules, commas between
OURS = "fewshot"
INSTALLED = {"site-packages", "dist-packages"}


def check_code(config: Mapping[str, Any], where: Path) -> None:
    """Refuses a configuration from a run directory or a task that names code which is not to be run.

    That is code of Python and functions that are installed, unless their module is trusted, and whatever lies
    in the folder of the configuration or in any other run or task.

    Args:
        config: in the form of `config.yaml`.
        where: its file.

    Raises:
        InputError: such code, or a user's own module that fails as it is imported.
    """
    given = {name.strip() for name in os.environ.get(TRUST, "").split(",") if name.strip()}
    names = _names(config, where)
    check_place(config, where)
    for name, use in names:
        if _root(name) not in given and not _fits(name, use):
            raise _foreign(name, where)
    for name, use in names:
        if use is Use.FUNCTION and _root(name) not in given and not _leads_home(name, given):
            raise _foreign(name, where)


def check_place(config: Mapping[str, Any], where: Path) -> None:
    """Refuses a configuration that names code which lies beside it, or in another run or task.

    Args:
        config: in the form of `config.yaml`.
        where: its file.

    Raises:
        InputError: such code, trusted or not.
    """
    for name, _ in _names(config, where):
        found = [file for file in files_of(name) if was_handed_over(file, [where.parent])]
        if found:
            raise InputError(
                "code that lies in a run or a task is not run",
                where=where,
                got=f"{name[:200]}, which is {found[-1]}",
                needed="code of fewshot, or of a file of yours that is on the path and in no such folder",
                fix="if you have read it and trust it, copy it to a file of yours and name that",
            )


def _names(config: Mapping[str, Any], where: Path) -> list[tuple[str, Use]]:
    """Each import path once for each use. A word without a dot is known by name or is none."""
    try:
        names = dict.fromkeys(each for each in named(config) if "." in each[0] or ":" in each[0])
    except MalformedError as error:
        raise InputError(
            "the configuration cannot be judged",
            where=where,
            got=f"a text that would be read as YAML: {error}",
            needed="values that stand in the file as themselves",
        ) from error
    return [(n, use) for n, use in names if use is not Use.OTHER or _is_path(n)]


def _is_path(name: str) -> bool:
    return all(part.isidentifier() for part in name.replace(":", ".").split("."))


def _foreign(name: str, where: Path) -> InputError:
    return InputError(
        "the run names code that is neither fewshot's nor your own",
        where=where,
        got=name[:200],
        needed="code of fewshot, or of a file of yours that is on the path",
        fix=f"if you trust whoever wrote the run, set {TRUST}={_root(name)[:60]}",
    )


def _root(name: str) -> str:
    return name.replace(":", ".").split(".")[0]


def _fits(name: str, use: Use) -> bool:
    """Whether a class may be one of ours, or a function is ours or the user's by where it is named."""
    if use is Use.FUNCTION:
        return _is_own(name)
    return use is Use.OTHER or _root(name) not in sys.stdlib_module_names


def _leads_home(name: str, given: Collection[str]) -> bool:
    """Whether a function is ours or the user's wherever it is named; its module is, and would be imported."""
    try:
        found = imported(name)
    except (ImportError, AttributeError, ValueError):
        return True  # who builds the part says so
    home = str(getattr(found, "__module__", None))  # `fewshot.files.os.system` is of the module posix
    return _root(home) in given or _is_own(home)


def _is_own(name: str) -> bool:
    """Whether a module is ours, or lies outside of Python and of what is installed; it is not imported."""
    if _root(name) == OURS:
        return True
    files = [file.resolve() for file in files_of(name)]
    python = [Path(sysconfig.get_path(place)).resolve() for place in ("stdlib", "platstdlib")]
    installed = any(set(file.parts) & INSTALLED or any(map(file.is_relative_to, python)) for file in files)
    return bool(files) and not installed

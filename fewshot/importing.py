"""What stands at an import path, and a clear word where the module there fails."""

import importlib
import pkgutil
import traceback
from typing import Any

from fewshot.errors import InputError

MACHINERY = (importlib.__file__, pkgutil.__file__, __file__)


def imported(name: str) -> Any:
    """What an import path stands for; its module is imported.

    Args:
        name: such as `package.module.name`.

    Raises:
        ImportError, AttributeError, ValueError: there is no such module, nothing of that name in it, or no
            import path.
        InputError: the module is there, and raises an error while it is imported.
    """
    try:
        return pkgutil.resolve_name(name)
    except (Exception, SystemExit) as error:
        place = _place(error)
        if place is None:
            raise
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise InputError(
            f"the module of {name[:200]!r} fails as it is imported",
            where=place,
            got=f"{type(error).__name__}: {said}",
            needed="a module that can be imported",
            fix=f'mend it; `python -c "import {_module(name)[:200]}"` shows the whole error',
        ) from error


def _place(error: BaseException) -> str | None:
    """File and line at which a module failed; None where none of its lines was reached."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    reached = [f for f in frames if f.filename not in MACHINERY and not f.filename.startswith("<frozen ")]
    ran = any(frame.name == "<module>" for frame in reached)  # else it was asked for what it does not have
    return f"{reached[-1].filename}, line {reached[-1].lineno}" if ran else None


def _module(name: str) -> str:
    """The module of an import path, as far as it can be told without importing it."""
    module, colon, _ = name.partition(":")
    return module if colon else name.rpartition(".")[0] or name

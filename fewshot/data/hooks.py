"""Functions that are known by name, and a user's own by import path."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fewshot.errors import InputError, listing, suggestion
from fewshot.importing import imported

Function = TypeVar("Function", bound=Callable[..., Any])


def function_of(name: str, known: Mapping[str, Function], what: str, where: str) -> Function:
    """The function that a name stands for.

    Args:
        name: one of the known ones, or an import path.
        known: by name.
        what: what such a function is called in messages.
        where: the option that names it.

    Raises:
        InputError: neither, or what cannot be imported or is no function.
    """
    if name in known:
        return known[name]
    needed = f"one of {listing(known)}, or the import path of a function"
    if "." not in name:
        raise InputError(f"unknown {what} {name!r}", where=where, needed=needed, fix=suggestion(name, known))
    try:
        found = imported(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"the {what} {name!r} cannot be imported", where=where, got=str(error), needed=needed
        ) from error
    if not callable(found):
        raise InputError(
            f"the {what} {name!r} is no function", where=where, got=type(found).__name__, needed=needed
        )
    return found  # type: ignore[no-any-return]

"""Options in further files, which the parser would read: a run or a task of a stranger has none."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonargparse.typing import Path_fr

from fewshot.errors import InputError
from fewshot.untrusted.naming import named
from fewshot.untrusted.yaml_files import read_yaml


def check_single(config: Mapping[str, Any], where: Path, parse: Callable[[dict[str, Any]], object]) -> None:
    """Refuses a configuration that has options in further files; what they name was not looked at.

    The parser reads such a file where it wants a group of options and finds a text. So texts that name a file
    of options give way to others that name none, which the parser takes where any text may stand alone.

    Args:
        config: in the form of `config.yaml`; its names have been judged.
        where: its file.
        parse: parses what is given; raises InputError.

    Raises:
        InputError: such a file.
    """
    found = sorted({text for text, _ in named(config) if _is_of_options(text, where.parent)})
    if not found:
        return
    error: InputError | None = None
    if set(found) <= set(_texts(config)):  # else one stands within a text that is YAML itself
        try:
            parse(_without(config, found))
        except InputError as other:
            error = other
        else:
            return
    raise InputError(
        "a run or a task has its options in one file",
        where=where,
        got=f"the name of another one, {found[0]}",
        needed="the options themselves",
    ) from error


def _is_of_options(text: str, folder: Path) -> bool:
    """Whether a text names a file that the parser could take for options."""
    for place in (folder, Path.cwd()):
        try:
            file = Path(Path_fr(text, cwd=str(place)).absolute)
            if isinstance(read_yaml(file), Mapping):
                return True
        except ValueError:
            return True  # too large or too deep to tell
        except (TypeError, OSError):
            continue
    return False


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    below = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for each in below:
        yield from _texts(each)


def _without(value: Any, texts: list[str]) -> Any:
    """The same with other texts in the place of some."""
    if isinstance(value, Mapping):
        return {key: _without(each, texts) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without(each, texts) for each in value]
    return uuid.uuid4().hex if isinstance(value, str) and value in texts else value

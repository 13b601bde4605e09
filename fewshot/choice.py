"""Which classes a command line chooses for its parts, known before its options are read."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from fewshot.algorithms.algorithms import ALGORITHMS
from fewshot.errors import InputError
from fewshot.importing import imported
from fewshot.models.models import LEARNERS
from fewshot.tasks.families import FAMILIES
from fewshot.untrusted.yaml_files import read_yaml

CLASSES: dict[str, Mapping[str, type]] = {"family": FAMILIES, "model": LEARNERS, "algorithm": ALGORITHMS}


def chosen(arguments: Sequence[str]) -> dict[str, str]:
    """The classes that a command line names, itself or in files: import paths by part.

    Known beforehand, they begin with their own defaults: the parser by itself would give them what the class
    in their place before has of the same name.

    Raises:
        InputError: a configuration file that is no YAML, or beyond what a configuration may be; a class whose
            module fails as it is imported.
    """
    found: dict[str, str] = {}
    for word, after in pairwise([*arguments, ""]):
        option, joined, value = word.partition("=")
        value = value if joined else after
        named = _named_in(Path(value)) if option == "--config" else {option.removeprefix("--"): value}
        paths = {part: _path_of(part, name) for part, name in named.items() if part in CLASSES}
        found |= {part: path for part, path in paths.items() if path}
    return found


def _named_in(file: Path) -> dict[str, str]:
    """The classes that a configuration names. A pipe, which can be read once, is left to the parser."""
    try:
        given = file.is_file()
    except OSError:  # the settings themselves, longer than a name may be
        return {}
    try:
        content = read_yaml(file) if given else None
    except (OSError, ValueError) as error:  # the parser would read it without limits
        raise unreadable(file, error) from error
    values = content.items() if isinstance(content, dict) else ()
    names = {part: value.get("class_path") if isinstance(value, dict) else value for part, value in values}
    return {part: name for part, name in names.items() if isinstance(name, str)}


def unreadable(file: Path, error: Exception) -> InputError:
    """What to say of a configuration that cannot be read."""
    return InputError(
        "the configuration cannot be read",
        where=file,
        got=getattr(error, "strerror", None) or " ".join(str(error).split()),
        needed="a YAML file of plain values",
    )


def _path_of(part: str, name: str) -> str | None:
    """The import path of a class that is known by name, or that exists at this path.

    Raises:
        InputError: its module fails as it is imported.
    """
    known = CLASSES[part].get(name)
    if known is not None:
        return f"{known.__module__}.{known.__qualname__}"
    try:
        found = imported(name)
    except (ImportError, AttributeError, ValueError):
        return None
    return name if isinstance(found, type) else None  # a module's name resolves too

"""Which classes a command line chooses for its parts, known before its options are read."""

import pkgutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import yaml

from fewshot.algorithms.algorithms import ALGORITHMS
from fewshot.models.models import LEARNERS
from fewshot.tasks.families import FAMILIES

CLASSES: dict[str, Mapping[str, type]] = {"family": FAMILIES, "model": LEARNERS, "algorithm": ALGORITHMS}


def chosen(arguments: Sequence[str]) -> dict[str, str]:
    """The classes that a command line names, itself or in files: import paths by part.

    Known beforehand, they begin with their own defaults: the parser by itself would give them what the class
    in their place before has of the same name.
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
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # the parser says what is wrong with it
    values = content.items() if isinstance(content, dict) else ()
    names = {part: value.get("class_path") if isinstance(value, dict) else value for part, value in values}
    return {part: name for part, name in names.items() if isinstance(name, str)}


def _path_of(part: str, name: str) -> str | None:
    """The import path of a class that is known by name, or that exists at this path."""
    known = CLASSES[part].get(name)
    if known is not None:
        return f"{known.__module__}.{known.__qualname__}"
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        return None
    return name

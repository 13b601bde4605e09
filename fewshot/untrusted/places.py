"""Where the code that an import path names lies; nothing is imported to find out.

`importlib.util.find_spec` imports the packages above a module. So only the first part of a name is asked of
it, and the others are looked for by hand in the folders of the part before.
"""

import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

# files that together tell a run, an adapted task, a search; who made the folder may have put code into it
MARKS = (("run.json", "config.yaml"), ("task.json", "support.jsonl"), ("search.json", "trials.csv"))


def files_of(name: str) -> list[Path]:
    """The files and folders of the packages and the module that an import path leads through.

    Args:
        name: such as `package.module.name`; what follows the module is not looked at.
    """
    first, *others = name.replace(":", ".").split(".")
    spec = _first(first)
    found = _of(spec)
    for part in others:
        folders = list(spec.submodule_search_locations or ()) if spec else []
        # the last part alone: the whole name of a folder without `__init__` needs its parent imported
        spec = PathFinder.find_spec(part, folders) if folders else None
        found += _of(spec)
    return found


def _first(name: str) -> ModuleSpec | None:
    if name in sys.builtin_module_names:
        return None
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None


def _of(spec: ModuleSpec | None) -> list[Path]:
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec else []
    return [Path(os.path.abspath(place)) for place in places if place and place not in ("built-in", "frozen")]


def was_handed_over(path: Path, folders: Iterable[Path] = ()) -> bool:
    """Whether a file or folder lies in a run, an adapted task or a search, or in one of `folders`.

    Args:
        path: where it is. Of a symbolic link both count: where it stands, and where it leads.
        folders: further ones, whatever is in them.
    """
    known = {each for folder in folders for each in _both(folder)}
    return any(above in known or _is_marked(above) for each in _both(path) for above in (each, *each.parents))


def _both(path: Path) -> Sequence[Path]:
    return Path(os.path.abspath(path)), path.resolve()


def _is_marked(folder: Path) -> bool:
    return any(all((folder / name).is_file() for name in names) for names in MARKS)

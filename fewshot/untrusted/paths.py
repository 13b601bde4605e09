"""Names of files that other files name, which have to lie where they belong."""

import stat
from pathlib import Path

from fewshot.errors import InputError


def inside(folder: Path, name: object, where: object) -> Path:
    """The path of a file that something else names, which has to lie in `folder`.

    Args:
        folder: where it may lie.
        name: relative, "/" between folders.
        where: which file or option names it, for the message.

    Raises:
        InputError: a name that leads elsewhere: absolute, with "..", with a backslash, a NUL or a drive, or
            by a symbolic link.
    """
    text = str(name)
    parts = text.split("/")
    plain = isinstance(name, str) and not any(sign in text for sign in "\\\0\n\r") and ":" not in parts[0]
    if not plain or not text or text.startswith(("/", "~")) or any(part in ("", ".", "..") for part in parts):
        raise outside(text, where)
    return stays(folder, folder / text, where)


def stays(folder: Path, path: Path, where: object) -> Path:
    """A path that was put together, unless a symbolic link leads it out of its folder.

    Raises:
        InputError: it leads elsewhere.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise outside(str(path), where, "a symbolic link that leads out of the folder")
    return path


def outside(name: str, where: object, got: str | None = None) -> InputError:
    """What to say of a name that leads out of its folder."""
    return InputError(
        "a file is named that lies elsewhere",
        where=where,
        got=f"{name!r}" + (f", {got}" if got else ""),
        needed="the name of a file in the same folder or below it, without '..', links and backslashes",
    )


def is_ordinary(path: Path) -> bool:
    """Whether a path is a file that ends, and no pipe or device."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False

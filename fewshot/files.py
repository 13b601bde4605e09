"""Files written whole or not at all."""

import contextlib
import csv
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from fewshot.errors import InputError, UnwritableError

PARTS = ".*.part"  # pattern of the names of what is being written


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well, else is removed.

    Works for files and folders; a folder of that name is replaced. What is written is on the disk before it
    has its name: where the power fails, the old content is left or the new.

    Raises:
        UnwritableError: the disk is full or cannot be written.
        InputError: a folder where a file should be.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if path.is_dir() and not temporary.is_dir():
            raise InputError(
                "a folder stands where a file should be written", where=path, needed="the name of a file"
            )
        _settle_all(temporary)
        _name(temporary, path)
    except (OSError, SafetensorError) as error:
        raise unwritable(path, error) from error
    finally:
        _remove(temporary)


def _settle_all(path: Path) -> None:
    """Of a file its content; of a folder those of all files below it, and their names."""
    for each in [*path.rglob("*"), path]:
        settle(each) if each.is_file() else _settle_names(each)


def _name(temporary: Path, path: Path) -> None:
    """Gives what was written its name; a folder that has it is moved aside, and back where that fails."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.old.part") if path.is_dir() else None
    if aside:
        path.replace(aside)
    try:
        temporary.replace(path)
    except OSError:
        if aside:
            aside.replace(path)
        raise
    _settle_names(path.parent)
    if aside:
        _remove(aside)


def settle(path: Path) -> None:
    """Has the system put a file's content on the disk.

    Raises:
        OSError: it cannot.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _settle_names(folder: Path) -> None:
    """Of the files in a folder; some systems cannot, and keep them in order anyway."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def remove_parts(folder: Path) -> None:
    """Removes what processes that were killed had begun to write in a folder and those below."""
    for path in list(folder.rglob(PARTS)):
        _remove(path)


def unwritable(path: Path, error: OSError | SafetensorError) -> UnwritableError:
    """What to say of a file that could not be written."""
    return UnwritableError(
        "a file could not be written",
        where=path,
        got=getattr(error, "strerror", None) or str(error),
        needed="a writable disk with space left",
        fix="free some space, then choose another --out or add --overwrite; what was written before is whole",
    )


def append_line(path: Path, line: str) -> None:
    """Adds a line to a text file, the whole line or nothing of it.

    Raises:
        UnwritableError: the disk is full or cannot be written.
    """
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise unwritable(path, error) from error


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows of the same columns, whole or not at all."""
    with whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

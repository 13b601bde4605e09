"""Tables in the README, each between two marks of its own."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fewshot.errors import InputError
from fewshot.files import write_text

Rows = Sequence[dict[str, Any]]


def marks(name: str, command: str | None = None) -> tuple[str, str]:
    """The lines before and after a table, which name the command that makes it."""
    command = command or f"python -m benchmarks.{name}.table"
    return f"<!-- {name}: made by {command} -->", f"<!-- end of {name} -->"


def into_readme(path: Path, name: str, table: str, command: str | None = None) -> None:
    """Writes a table between its marks.

    Raises:
        InputError: the file has no such marks.
    """
    begin, end = marks(name, command)
    text = path.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise InputError(f"no place for the {name} table", where=path, needed=f"the lines {begin} and {end}")
    before, rest = text.split(begin, 1)
    write_text(path, f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end, 1)[1]}")


def table_command(
    name: str, about: str | None, load: Callable[[Path], Rows], markdown: Callable[[Rows], str]
) -> None:
    """Prints the table of a folder, or writes it into a README: what benchmarks.NAME.table does."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}.table", description=about)
    parser.add_argument("folder", type=Path)
    parser.add_argument("readme", type=Path, nargs="?")
    given = parser.parse_args()
    rows = load(given.folder)
    if given.readme and any(row.get("quick") for row in rows):
        sys.exit(f"a quick result enters no table; run python -m benchmarks.{name} without --quick")
    if given.readme:
        into_readme(given.readme, name, markdown(rows))
    else:
        print(markdown(rows))

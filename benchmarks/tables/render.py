"""The tables from their cells, as Markdown: in the results, and between the marks of the README."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.readme import into_readme
from benchmarks.tables import classes, cross, levers, shots, tasks
from benchmarks.tables.results import Cell
from fewshot.errors import InputError
from fewshot.files import write_text

Layout = Callable[[str, Sequence[Cell]], str]  # a table's name and cells -> Markdown
LAYOUTS: dict[str, Layout] = {
    "leopard": tasks.markdown,
    "arsc": tasks.markdown,
    "shots": shots.markdown,
    "cross": cross.markdown,
    "levers": levers.markdown,
}
PICTURES: dict[str, Callable[[Path, Sequence[Cell]], None]] = {"shots": shots.draw}


def render(table: str, folder: Path, readme: Path | None) -> str:
    """The Markdown of a table, also written beside its cells, with its picture, and into a README, if given.

    Raises:
        InputError: no cells there, quick ones, or cells that were not measured alike.
    """
    cells = load(table, folder)
    text = markdown(table, cells)
    write_text(folder.parent / f"{table}.md", text + "\n")
    if table in PICTURES:
        PICTURES[table](folder.parent / f"{table}.svg", cells)
    if readme:
        into_readme(readme, f"tables {table}", text, f"python -m benchmarks.tables {table} --render")
    return text


def load(table: str, folder: Path) -> list[Cell]:
    """The cells of a folder."""
    cells: list[Cell] = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.json"))]
    if not cells:
        raise InputError("there are no results", where=folder, needed=f"python -m benchmarks.tables {table}")
    if any(cell["quick"] for cell in cells):
        raise InputError("a quick result enters no table", where=folder, needed="results without --quick")
    return cells


def markdown(table: str, cells: Sequence[Cell]) -> str:
    """A table in its layout; most are over the classes of data sets."""
    return LAYOUTS.get(table, classes.markdown)(table, cells)

"""Few-shot tables of the literature, measured cell by cell.

A cell is a method on one fold of a data set at one number of shots, and one JSON file. Trainings are run
directories below runs/tables, and serve all shots of their fold. With --resume, cells and trainings that are
there are left as they are, so that a run that was stopped goes on. --render makes the tables from the cells.
"""

import argparse
import fnmatch
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.tables.cell import Cell
from benchmarks.tables.measure import Features, measure
from benchmarks.tables.plans import TABLES
from benchmarks.tables.render import render
from benchmarks.tables.training import Effort, Trainings
from fewshot.errors import FewshotError, InputError, listing
from fewshot.files import write_json

RESULTS = Path(__file__).parents[1] / "results" / "tables"
QUICK_STEPS, QUICK_EPISODES = 2, 20


def main(arguments: Sequence[str]) -> int:
    """Measures, or renders; exit codes as those of `fewshot`."""
    given = _parser().parse_args(list(arguments))
    try:
        folder = given.out or (Path("runs/tables-quick") if given.quick else RESULTS)
        if given.render:
            print(render(given.table, folder / given.table, given.readme))
            return 0
        effort = Effort(True, QUICK_EPISODES, QUICK_STEPS) if given.quick else Effort(False, given.episodes)
        runs = Path("runs/tables-quick/runs" if given.quick else "runs/tables")
        _run(_cells(given.table, given.cells), folder / given.table, effort, runs, given.resume)
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("table", choices=list(TABLES), help="which table")
    parser.add_argument("--cells", nargs="+", default=["*"], help="some of them, by name: '*-01-*-chosen-*'")
    parser.add_argument("--episodes", type=int, default=600, help="test episodes of a cell (600)")
    parser.add_argument("--resume", action="store_true", help="leave out what is there")
    parser.add_argument("--quick", action="store_true", help="2 outer steps, 20 episodes: only to see it run")
    parser.add_argument("--out", type=Path, help="folder of the results; by default results/tables")
    parser.add_argument("--render", action="store_true", help="make the table from the cells that are there")
    parser.add_argument("--readme", type=Path, help="with --render, also write it into this file")
    return parser


def _cells(table: str, patterns: Sequence[str]) -> list[Cell]:
    """The cells whose names match.

    Raises:
        InputError: a pattern that matches none.
    """
    cells = TABLES[table]()
    for pattern in patterns:
        if not any(fnmatch.fnmatch(cell.name, pattern) for cell in cells):
            raise InputError(
                f"no cell is called {pattern!r}",
                where="--cells",
                needed=f"names such as {listing(cell.name for cell in cells[:3])}, or patterns of them",
            )
    return [cell for cell in cells if any(fnmatch.fnmatch(cell.name, pattern) for pattern in patterns)]


def _run(cells: Sequence[Cell], folder: Path, effort: Effort, runs: Path, resume: bool) -> None:
    console, trainings = Console(stderr=True, highlight=False), Trainings(runs, effort, resume)
    features = Features()
    todo = [c for c in cells if not (resume and c.is_done(folder, effort.quick, effort.episodes))]
    started = time.perf_counter()
    for number, cell in enumerate(todo):
        left = (time.perf_counter() - started) / number * (len(todo) - number) / 60 if number else None
        estimate = "" if left is None else f", about {left:.0f} minutes left"
        console.print(f"cell {number + 1} of {len(todo)}: {cell.name}{estimate}")
        result = measure(cell, trainings, effort, features)
        write_json(cell.path(folder), result)
        console.print(f"  accuracy {result['accuracy']['mean']:.4f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

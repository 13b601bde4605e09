"""A few labelled examples: the adapter that comes with the package beside what people would pick instead.

20 test tasks each of BANKING77, HWU64 and CLINC150, 5-way, 1 and 5 shots, and all test classes of BANKING77
at once, the same for all; the classes are those of the first published fold, whose labels the adapter has not
seen (their texts it has, in clusters). One JSON a cell (problem, rival), each in a process of its own; with
--resume a cell that is there is not run again. `python -m pip install "fewshot[bench]"` installs SetFit.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.versus.cell import PROBLEMS
from benchmarks.versus.rivals import RIVALS
from benchmarks.versus.table import load, markdown
from fewshot.errors import FewshotError, InputError, MissingPartError, suggestion

RESULTS = Path(__file__).parents[1] / "results" / "versus"


def main(arguments: Sequence[str]) -> int:
    """Runs the cells and prints the tables; exit codes as those of `fewshot`."""
    given = _parser().parse_args(list(arguments))
    try:
        cells = _cells(given.problems, given.rivals)
        left = [cell for cell in cells if not (given.resume and _is_done(given.out, *cell, given.tasks))]
        _run(left, given.out, given.tasks, given.run)
        print(markdown(load(given.out)))
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(cells: Sequence[tuple[str, str]], folder: Path, tasks: int, run: str | None) -> None:
    console, started = Console(stderr=True, highlight=False), time.perf_counter()
    for number, (problem, rival) in enumerate(cells):
        left = (time.perf_counter() - started) / number * (len(cells) - number) / 60 if number else None
        console.print(
            f"cell {number + 1} of {len(cells)}: {problem}, {rival}"
            + ("" if left is None else f", about {left:.0f} minutes left")
        )
        words = [problem, rival, "--tasks", str(tasks), "--out", str(path_of(folder, problem, rival))]
        words += ["--run", run] if run else []
        done = subprocess.run([sys.executable, "-W", "ignore", "-m", "benchmarks.versus.cell", *words])
        if done.returncode:
            raise FewshotError("a cell failed; what it said stands above", where=f"{problem}, {rival}")


def path_of(folder: Path, problem: str, rival: str) -> Path:
    """Where the result of a cell lies."""
    return folder / f"{problem}-{rival}.json"


def _is_done(folder: Path, problem: str, rival: str, tasks: int) -> bool:
    path = path_of(folder, problem, rival)
    wanted = tasks if PROBLEMS[problem].way else 1
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["tasks"] == wanted


def _cells(problems: Sequence[str], rivals: Sequence[str]) -> list[tuple[str, str]]:
    """The cells of a command line, in the order of the table.

    Raises:
        InputError: a name that is not known.
        MissingPartError: SetFit is asked for and not installed.
    """
    for what, names, known in (("problem", problems, PROBLEMS), ("rival", rivals, RIVALS)):
        for name in names:
            if name not in known:
                raise InputError(f"unknown {what} {name!r}", where=f"--{what}s", fix=suggestion(name, known))
    asked = rivals or list(RIVALS)
    if "setfit" in asked and importlib.util.find_spec("setfit") is None:
        raise MissingPartError(
            "SetFit is not installed",
            where="--rivals setfit",
            fix='python -m pip install "fewshot[bench]", or name other rivals',
        )
    return [(problem, rival) for problem in problems or PROBLEMS for rival in asked]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.versus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--problems", nargs="+", default=[], help=f"some of {', '.join(PROBLEMS)}")
    parser.add_argument("--rivals", nargs="+", default=[], help=f"some of {', '.join(RIVALS)}")
    parser.add_argument("--tasks", type=int, default=20, help="of a problem; one of all classes at once")
    parser.add_argument("--run", help="a meta-trained run, instead of the one that comes with the package")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the cells")
    parser.add_argument("--resume", action="store_true", help="leave out the cells that are there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Every algorithm and baseline on BANKING77 and the attribute tasks, 5-way 1- and 5-shot, the same episodes.

One JSON a cell (data, shot, member); with --resume a cell that is there is not run again, so a benchmark that
was stopped goes on where it was. `python -m benchmarks.algorithms.table DIR README.md` makes the table.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.algorithms.cells import FULL, QUICK, Effort, path_of, run_cell
from benchmarks.algorithms.members import MEMBERS
from benchmarks.algorithms.problems import Problem, problems
from benchmarks.algorithms.table import console_tables, load
from benchmarks.cells import is_done
from fewshot.errors import FewshotError, InputError, suggestion
from fewshot.files import write_json
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder

RESULTS = Path(__file__).parents[1] / "results" / "algorithms"


def main(arguments: Sequence[str]) -> int:
    """Runs the cells; exit codes as those of `fewshot`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.algorithms", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 outer steps, 40 episodes, all smaller")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--out", type=Path, help=f"folder of the cells; by default {RESULTS.name} in results/"
    )
    parser.add_argument("--problems", nargs="+", default=[], help="some of them, such as banking77-1shot")
    parser.add_argument("--members", nargs="+", default=[], help="some of them, such as MAML ridge")
    parser.add_argument("--resume", action="store_true", help="leave out the cells that are there")
    given = parser.parse_args(arguments)
    folder = given.out or (Path("runs/algorithms-quick") if given.quick else RESULTS)
    effort = QUICK if given.quick else FULL
    console = Console(stderr=True, highlight=False)
    try:
        cells = _chosen(problems(given.quick), given.problems, given.members)
        if given.resume:
            cells = [
                cell for cell in cells if not is_done(path_of(folder, *cell), effort.quick, effort.episodes)
            ]
        _run(cells, folder, effort, Compute(device=given.device), console)
        for table in console_tables(load(folder)):
            Console(width=max(Console().width, 110)).print(table)
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(
    cells: Sequence[tuple[Problem, str]], folder: Path, effort: Effort, compute: Compute, console: Console
) -> None:
    started = time.perf_counter()
    states: dict[str, LoraEncoder] = {}
    for number, (problem, member) in enumerate(cells):
        left = (time.perf_counter() - started) / number * (len(cells) - number) / 60 if number else None
        estimate = "" if left is None else f", about {left:.0f} minutes left"
        console.print(f"cell {number + 1} of {len(cells)}: {problem.name}, {member}{estimate}")
        command = _command(problem, member, effort)
        if effort.quick and problem.name not in states:
            states = {problem.name: problem.model(compute)}  # members meet the same texts
        result = run_cell(problem, member, effort, compute, command, states.get(problem.name))
        write_json(path_of(folder, problem, member), result)
        console.print(f"  {_said(result)}")


def _said(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"failed: {result['error'].splitlines()[0]}"
    return f"accuracy {result['accuracy']['mean']:.3f}, trained for {result['training_seconds']:.0f} s"


def _command(problem: Problem, member: str, effort: Effort) -> str:
    """What repeats one cell."""
    quick = " --quick" if effort.quick else ""
    return f"python -m benchmarks.algorithms --problems {problem.name} --members '{member}'{quick}"


def _chosen(
    known: Mapping[str, Problem], wanted_problems: Sequence[str], wanted_members: Sequence[str]
) -> list[tuple[Problem, str]]:
    """The cells of a command line, in the order of the table.

    Raises:
        InputError: a name that is not known.
    """
    for what, names, all_names in (
        ("problem", wanted_problems, known),
        ("member", wanted_members, MEMBERS),
    ):
        for name in names:
            if name not in all_names:
                fix = suggestion(name, all_names)
                raise InputError(f"unknown {what} {name!r}", where=f"--{what}s", fix=fix)
    return [
        (known[name], member) for name in (wanted_problems or known) for member in (wanted_members or MEMBERS)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

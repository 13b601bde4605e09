"""A small language model on held-out tasks: how much does the meta-learned initialisation help?

Without --backbone a Llama-shaped model is pretrained first, on the texts of data sets in the folder
FEWSHOT_DATA (no labels, no outputs of tasks), with spans that stand several times, and kept below runs/. One
JSON a cell (problem, method); with --resume a cell that is there is not run again.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.causal import pretrain
from benchmarks.causal.cells import FULL, QUICK, Effort, is_there, path_of, run_cell
from benchmarks.causal.methods import METHODS, suits
from benchmarks.causal.problems import PROBLEMS
from benchmarks.causal.problems import QUICK as QUICK_PROBLEMS
from benchmarks.causal.recipe import check_made_by
from benchmarks.causal.table import load, markdown
from fewshot.errors import FewshotError, InputError, suggestion
from fewshot.files import write_json
from fewshot.models.compute import Compute

RESULTS = Path(__file__).parents[1] / "results" / "causal"
TEXTS = (
    *("news20", "ag_news", "reuters", "arsc", "mr", "subj", "sst5", "trec", "hwu64", "clinic150", "fewrel"),
    "fewrel_domains",
)  # not BANKING77
# Bytes, since to copy is soon learned with few tokens; then longer blocks, since prompts with examples are.
BEGIN = "--vocabulary 259 --length 128 --batch 16 --lr 2e-3 --steps 2400 --repeated 0.6 --longest 40"
THEN = "--length 512 --batch 4 --steps 1000 --repeated 0.8 --longest 120 --renamed 0.6 --spelled 0.5"
# A quick run reads tokens of several letters, since they are fewer; its model does not learn to copy.
SMALL = "--vocabulary 4096 --width 192 --layers 4 --length 128 --batch 32 --lr 2e-3 --steps 300"
SMALL += " --repeated 0.3 --longest 40"
SMALL_THEN = "--length 64 --batch 32 --steps 200 --repeated 0.8"


def main(arguments: Sequence[str]) -> int:
    """Pretrains where it is needed and runs the cells; exit codes as those of `fewshot`."""
    given = _parser().parse_args(list(arguments))
    folder = given.out or (Path("runs/causal-quick") if given.quick else RESULTS)
    try:
        effort = _effort(given)
        cells = _cells(given.problems or (list(QUICK_PROBLEMS) if given.quick else ()), given.methods)
        backbone = given.backbone or _pretrained(given.quick)
        if given.resume:
            cells = [cell for cell in cells if not is_there(folder, *cell, backbone, effort)]
        _run(cells, folder, backbone, effort, Compute(device=given.device), _options(given))
        print(markdown(load(folder)))
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _pretrained(quick: bool) -> str:
    """The folder of the small language model, which is made where it is not there.

    Raises:
        InputError: texts that cannot be read, a model of another recipe in its place.
    """
    folder = Path("runs/causal-lm-quick" if quick else "runs/causal-lm")
    begun = folder.with_name(f"{folder.name}-begun")
    first, then = (SMALL, SMALL_THEN) if quick else (BEGIN, THEN)
    goes_on = [*TEXTS, "--out", str(folder), "--start", str(begun), *then.split()]
    begins = [*TEXTS, "--out", str(begun), *first.split()]
    if folder.is_dir():
        check_made_by(pretrain.recipe_of(goes_on), folder)
        return str(folder)
    if begun.is_dir():
        check_made_by(pretrain.recipe_of(begins), begun)
    else:
        pretrain.run(begins)
    pretrain.run(goes_on)
    return str(folder)


def _run(
    cells: Sequence[tuple[str, str]],
    folder: Path,
    backbone: str,
    effort: Effort,
    compute: Compute,
    options: str,
) -> None:
    console, started = Console(stderr=True, highlight=False), time.perf_counter()
    for number, (problem, method) in enumerate(cells):
        left = (time.perf_counter() - started) / number * (len(cells) - number) / 60 if number else None
        estimate = "" if left is None else f", about {left:.0f} minutes left"
        console.print(f"cell {number + 1} of {len(cells)}: {problem}, {method}{estimate}")
        command = f"python -m benchmarks.causal --problems {problem} --methods {method}{options}"
        result = run_cell(problem, method, backbone, effort, compute, command)
        write_json(path_of(folder, problem, method), result)
        console.print(f"  right {100 * result['accuracy']['mean']:.1f}%")


def _effort(given: argparse.Namespace) -> Effort:
    """What is spent, as the options say.

    Raises:
        InputError: no outer step.
    """
    effort = QUICK if given.quick else FULL
    steps = effort.steps if given.steps is None else given.steps
    if steps < 1:
        raise InputError("--steps is too small", got=steps, needed="1 or more")
    return replace(effort, steps=steps)


def _options(given: argparse.Namespace) -> str:
    """The options that a cell's result depends on, as they were given."""
    said = {"quick": given.quick, "steps": given.steps, "backbone": given.backbone}
    said["device"] = given.device if given.device != "auto" else None
    return "".join(
        f" --{name}" + ("" if value is True else f" {value}") for name, value in said.items() if value
    )


def _cells(problems: Sequence[str], methods: Sequence[str]) -> list[tuple[str, str]]:
    """The cells of a command line, in the order of the table.

    Raises:
        InputError: a name that is not known.
    """
    for what, names, known in (("problem", problems, PROBLEMS), ("method", methods, METHODS)):
        for name in names:
            if name not in known:
                fix = suggestion(name, known)
                raise InputError(f"unknown {what} {name!r}", where=f"--{what}s", fix=fix)
    return [
        (problem, method)
        for problem in problems or PROBLEMS
        for method in methods or METHODS
        if suits(METHODS[method], PROBLEMS[problem])
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.causal",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a smaller model, two problems, 5 outer steps")
    parser.add_argument("--backbone", help="a folder or hub id, instead of pretraining")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--out", type=Path, help="folder of the cells; by default causal in results/")
    parser.add_argument("--problems", nargs="+", default=[], help=f"some of {', '.join(PROBLEMS)}")
    parser.add_argument("--methods", nargs="+", default=[], help=f"some of {', '.join(METHODS)}")
    parser.add_argument("--steps", type=int, help=f"outer steps of a training; {FULL.steps} by default")
    parser.add_argument("--resume", action="store_true", help="leave out the cells that are there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

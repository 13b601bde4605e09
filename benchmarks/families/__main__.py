"""Every task family on its real data: loads it, draws, trains for a few steps, adapts, looks for leaks.

    python -m benchmarks.families [--quick] [--families NAME ...] [--device auto|cpu|cuda] [--out DIR]
    [--resume]

A few outer steps prove that a family works with the trainer; the accuracies are no result about the methods.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.families.cases import Case, cases
from benchmarks.families.table import console_table, load
from benchmarks.machine import machine, provenance
from fewshot.algorithms.protomaml import ProtoMAML
from fewshot.data.find import data_home
from fewshot.errors import FewshotError, InputError, suggestion
from fewshot.evaluation import Evaluation, evaluate
from fewshot.files import write_json
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora
from fewshot.outer import Training, Validation
from fewshot.results import summarise
from fewshot.tasks.apart import leaks_of
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.training import Trainer

RESULTS = Path(__file__).parent.parent / "results" / "families"
STEPS, TEST, DRAWN = (2, 4), (4, 12), 200  # outer steps and test episodes of a quick and of a full run
MAX_LENGTH = 48  # tokens


def main(arguments: Sequence[str]) -> int:
    """Runs the cases and prints a row each; exit codes as those of `fewshot`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.families", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two outer steps, four test episodes")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--families", nargs="+", default=[], help="some of them, such as Views Domains")
    parser.add_argument("--out", type=Path, help="folder of the results; by default families in results/")
    parser.add_argument("--resume", action="store_true", help="leave out the rows that are there")
    given = parser.parse_args(arguments)
    folder = given.out or (Path("runs/families-quick") if given.quick else RESULTS)
    console = Console(stderr=True, highlight=False)
    try:
        chosen = _chosen(given.families)
        for number, case in enumerate(chosen):
            path = folder / f"{case.name.replace(', ', '-').replace(' ', '-').lower()}.json"
            if not (given.resume and path.is_file()):
                console.print(f"{number + 1} of {len(chosen)}: {case.name}", markup=False)
                write_json(path, run_case(case, given.quick, Compute(device=given.device)))
        Console(width=max(Console().width, 120)).print(console_table(load(folder)))
        if not given.families:
            _say_what_is_not_loaded(chosen, console)
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run_case(case: Case, quick: bool, compute: Compute) -> dict[str, Any]:
    """A row: how long the family takes to load and to draw, what its sides share, what adaptation gives."""
    started = time.perf_counter()
    family = case.make()
    loaded = time.perf_counter() - started
    started = time.perf_counter()
    drawn = list(islice(episodes(family, "train", 0, range(DRAWN)), DRAWN))
    rate = DRAWN / (time.perf_counter() - started)
    report = leaks_of(family)
    return {
        "schema": 1,
        "quick": quick,
        "family": case.family,
        "data": list(case.data),
        "seconds_to_load": loaded,
        "episodes_per_second": rate,
        "classes": sum(len(names) for names in family.split("train").classes().values()),
        "examples": sum(report.texts.values()),
        "leaks": {
            kind: _most(report.content()["leaks"], kind) for kind in ("class", "text", "near-duplicate")
        },
        **({} if not drawn[0].classes else _trained(family, quick, compute)),
        "command": f"python -m benchmarks.families --families {case.family}" + (" --quick" if quick else ""),
        **provenance(),
    }


def _trained(family: TaskFamily, quick: bool, compute: Compute) -> dict[str, Any]:
    model = LoraEncoder(lora=Lora(layers="last:1"), max_length=MAX_LENGTH, compute=compute)
    algorithm = ProtoMAML()
    steps, tests = (pair[0 if quick else 1] for pair in (STEPS, TEST))
    training = Training(steps=steps, meta_batch=2)
    Trainer(family, model, algorithm, training, Validation(every=0), Evaluation(episodes=1)).fit()
    summary = summarise(evaluate(family, model, algorithm, Evaluation(episodes=tests)))
    return {
        "outer_steps": steps,
        "episodes": tests,
        "before": summary["before"]["accuracy"]["mean"],
        "accuracy": summary["accuracy"],
        "auroc": summary.get("auroc"),
        "ran": model.note(),
        "machine": machine(model.device),
    }


def _most(leaks: Sequence[dict[str, Any]], kind: str) -> int:
    return max((leak["count"] for leak in leaks if leak["kind"] == kind), default=0)


def _chosen(wanted: Sequence[str]) -> list[Case]:
    known = {case.family for case in cases()}
    for name in wanted:
        if name not in known:
            raise InputError(f"unknown family {name!r}", where="--families", fix=suggestion(name, known))
    if data_home() is None:
        raise InputError(
            "there is no folder of data sets",
            where="FEWSHOT_DATA",
            got="not set",
            needed="a folder with a data set in each folder",
            fix="export FEWSHOT_DATA=FOLDER",
        )
    return [case for case in cases() if not wanted or case.family in wanted]


def _say_what_is_not_loaded(chosen: Sequence[Case], console: Console) -> None:
    home = data_home()
    there = {name for name in os.listdir(home or ".") if home and (home / name).is_dir()}
    left = sorted(there - {name for case in chosen for name in case.data})
    if left:
        console.print(f"no family loads {', '.join(left)}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Outer steps a second of ours and of learn2learn, higher and TorchOpt, side by side.

In one run, alternating: three settings, each in first and second order, with the relative error of the
meta-gradient, peak memory and the share of the machine's product rate. Writes JSON, prints a table.
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine, provenance
from benchmarks.speed.case import SETTINGS, Case, draw, task_family, texts_of
from benchmarks.speed.growth import grow, plot
from benchmarks.speed.ours import Ours
from benchmarks.speed.peak import peak
from benchmarks.speed.rounds import Effort, measure
from benchmarks.speed.table import cells
from fewshot.errors import FewshotError
from fewshot.files import write_json
from fewshot.models.rates import product_rate
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.nway import NWayKShot

FULL, QUICK = Effort(rounds=5, peer_seconds=30), Effort(rounds=2, peer_seconds=3)
STEPS = (1, 5, 10)
SPREAD = 500  # outer steps over which the filling of the prefix is spread
AT_ONCE = {"cpu": 1, "cuda": 6}  # processes whose memory is measured; on a GPU each is told its own alone


def main(arguments: Sequence[str]) -> int:
    """Runs the benchmark; exit codes as those of `fewshot`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="the file to write")
    parser.add_argument("--quick", action="store_true", help="in under 10 minutes; enters no table")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--model", nargs="+", default=["minilm"], help="minilm, or shape:llama-7b and the like"
    )
    given = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    try:
        for name in given.model:
            path = given.json if len(given.model) == 1 else _beside(given.json, name)
            result = run(name, given.device, QUICK if given.quick else FULL, given.quick, console)
            write_json(path, result)  # before what takes long again
            _show(result)
            if not given.quick:
                result["growth"] = _growth(name, given.device, console)
                plot(result["growth"], path.with_suffix(".svg"))
                write_json(path, result)
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run(model: str, device: Any, effort: Effort, quick: bool, console: Console) -> dict[str, Any]:
    """Everything that is measured of one model."""
    family = task_family()
    entries = []
    fill: dict[str, Any] = {}
    for setting in SETTINGS:
        for order in (1, 2):
            case = Case(setting, order, model, device)
            console.print(f"setting {setting.name}, order {order}")
            ours = Ours(case)
            texts = _training_texts(family, case, effort.rounds)
            seconds = ours.fill(texts)
            fill = {"texts": len(texts), "seconds": seconds, "per_step_over_500": seconds / SPREAD}
            speed = measure(case, ours, family, effort)
            entries.append({"name": setting.name, "order": order, **speed, "prefix_fill": fill})
            console.print(f"  {speed['ours']:.2f} steps/s, {speed['ratio']}")
    where = ours.learner.device
    _add_peaks(entries, model, where.type, quick, console)
    return {
        "schema": 1,
        "quick": quick,
        "model": model,
        "episodes": "BANKING77" if isinstance(family, NWayKShot) else "attribute",
        "command": " ".join(["python -m benchmarks.speed", *sys.argv[1:]]),
        **provenance(),
        "machine": machine(where),
        "product_rate": product_rate(where),
        "prefix_fill": next((e["prefix_fill"] for e in entries if e["name"] == "b"), fill),
        "settings": entries,
        "growth": [],
    }


def _training_texts(family: TaskFamily, case: Case, rounds: int) -> list[str]:
    """All texts of the training classes; of a family that makes its texts, those of the rounds."""
    texts = [text for pool in family.split("train").pools() for text in pool.texts()]
    return texts or texts_of([each for n in range(rounds + 1) for each in draw(family, n, case.meta_batch)])


def _add_peaks(entries: list[dict[str, Any]], model: str, device: Any, quick: bool, console: Console) -> None:
    """Peak memory in second order at 1, 5 and 10 inner steps; in a quick run of meta-batches of 2."""
    size = 2 if quick else 8
    for entry in entries:
        setting = next(setting for setting in SETTINGS if setting.name == entry["name"])
        if entry["order"] == 1:
            continue
        console.print(f"peak memory in setting {setting.name}")
        cases = {str(n): Case(setting, 2, model, device, inner_steps=n, meta_batch=size) for n in STEPS}
        # in software a peer's step of 10 inner steps takes many minutes
        names = ["ours"] if entry["emulated"] else ["ours", "learn2learn"]
        with ThreadPoolExecutor(AT_ONCE[device]) as pool:
            waiting = {
                name: {n: pool.submit(peak, name, case) for n, case in cases.items()} for name in names
            }
        found = {name: {n: each.result() for n, each in steps.items()} for name, steps in waiting.items()}
        ours, theirs = found.pop("ours"), found
        memory = {
            "peak_memory": _bytes(ours, "peak"),
            "peak_memory_step": _bytes(ours, "step"),
            "peers_peak_memory": {p: _bytes(found, "peak") for p, found in theirs.items()},
            "peers_peak_memory_step": {p: _bytes(found, "step") for p, found in theirs.items()},
            "peak_meta_batch": size,
        }
        for other in entries:
            if other["name"] == entry["name"]:
                other.update(memory)


def _bytes(found: dict[str, dict[str, Any]], kind: str) -> dict[str, Any]:
    return {steps: each.get(kind, each.get("error")) for steps, each in found.items()}


def _growth(model: str, device: Any, console: Console) -> list[dict[str, Any]]:
    lines = []
    for line in grow(model, device, task_family(), rounds=2):
        console.print(f"growth: {line}")
        lines.append(line)
    return lines


def _beside(path: Path, model: str) -> Path:
    return path.with_name(f"{path.stem}-{model.replace(':', '-').replace('/', '-')}{path.suffix}")


def _show(result: dict[str, Any]) -> None:
    table = Table(title=f"outer steps a second, {result['model']}" + (" (quick)" if result["quick"] else ""))
    head, *rows = cells(result)
    for column in head:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    console = Console(width=max(Console().width, 140))
    console.print(table)
    for entry in result["settings"][:1]:
        for name, error in entry["errors"].items():
            console.print(f"{name} does not run: {error}", highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

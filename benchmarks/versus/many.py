"""What a batch of texts of as many tasks costs, beside the same batch under one task.

    python -m benchmarks.versus.many [--tasks 200] [--out FILE]

For tasks that share an adapter (a run of ProtoNet, such as the one that comes with the package) and for tasks
with adapters of their own (MAMLAdam; they are moved by one inner loop each, from random ones). Both ways are
timed in turn, in one process.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml

from benchmarks.machine import machine, provenance
from benchmarks.versus.cell import PROBLEMS
from fewshot.classify.learned import FOLDER
from fewshot.classify.many import MultiTaskPredictor
from fewshot.cli import main as fewshot
from fewshot.errors import FewshotError, require_at_least
from fewshot.files import write_json

RESULT = Path(__file__).parents[1] / "results" / "many-tasks-cpu.json"
ROUNDS = 7


def measured(run: str | None, tasks: int) -> dict[str, Any]:
    """Seconds of a batch with a text of each task, and of the same texts under the first task."""
    predictor, drawn = MultiTaskPredictor(run), PROBLEMS["banking77-5way-1shot"].tasks(tasks)
    started = time.perf_counter()
    for number, episode in enumerate(drawn):
        texts, labels = [e.text for e in episode.support], [e.label for e in episode.support]
        predictor.learn(str(number), texts, labels)
    learning = time.perf_counter() - started
    texts = [episode.query[0].text for episode in drawn]
    asked = {"mixed": list(predictor.names), "alone": ["0"] * len(texts)}
    found: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(1 + ROUNDS):
        for name, names in asked.items():
            found[name].append(_seconds(partial(predictor.predict, texts, names)))
    seconds = {name: median(values[1:]) for name, values in found.items()}
    return {"seconds": seconds, "ratio": seconds["mixed"] / seconds["alone"], "learning_seconds": learning}


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _own_adapters(folder: Path) -> str:
    """A run whose tasks have adapters of their own, as large as those of the package's."""
    lora = yaml.safe_load((FOLDER / "config.yaml").read_text(encoding="utf-8"))["model"]["init_args"]["lora"]
    config = {
        "model": {"class_path": "LoraEncoder", "init_args": {"lora": lora, "compute": {"dtype": "float32"}}},
        "algorithm": {"class_path": "MAMLAdam"},
        "training": {"steps": 1, "meta_batch": 1},
        "validation": {"every": 0},
        "evaluation": {"episodes": 1, "inspected": 0, "influence": 0},
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    if fewshot(["train", "--config", str(file), "--out", str(folder / "run")]):
        raise FewshotError("the run with adapters of its own could not be made")
    return str(folder / "run")


def main(arguments: Sequence[str]) -> int:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.versus.many",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args(list(arguments))
    try:
        require_at_least("benchmarks.versus.many", given, tasks=1)
        with tempfile.TemporaryDirectory() as scratch:
            rows = {
                "one adapter": measured(None, given.tasks),
                "own adapters": measured(_own_adapters(Path(scratch)), given.tasks),
            }
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    content = {"schema": 1, "tasks": given.tasks, "rows": rows, **provenance()}
    write_json(given.out, content | {"machine": machine(torch.device("cpu"))})
    for name, row in rows.items():
        mixed, alone = row["seconds"]["mixed"], row["seconds"]["alone"]
        print(f"{name}: {given.tasks} texts of as many tasks {mixed:.3f} s, of one task {alone:.3f} s: "
              f"{row['ratio']:.2f} times; learned in {row['learning_seconds']:.1f} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

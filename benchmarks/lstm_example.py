"""A text classifier from scratch: trained, fine-tuned and meta-trained, on the same new tasks.

The model is `LstmEncoder`: word embeddings, an LSTM, dropout and a dense layer, all of random weights. The
tasks are 5-way 5-shot, of classes that no training has seen: intents of BANKING77 where the folder
FEWSHOT_DATA has it, else attribute tasks. Rates, steps and widths, and that ProtoNet stands for the
episodic algorithms, were chosen by validation episodes of BANKING77.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine, provenance
from fewshot import (
    Attributes,
    Evaluation,
    FewshotError,
    NWayKShot,
    TaskFamily,
    Trainer,
    Training,
    Validation,
    evaluate,
)
from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.multitask import MultiTask
from fewshot.algorithms.prototypes import FrozenPrototypes, ProtoNet
from fewshot.data.split import ClassSplit
from fewshot.errors import InputError
from fewshot.evaluation import TaskResult
from fewshot.files import write_json
from fewshot.models.compute import Compute
from fewshot.models.learner import Learner
from fewshot.models.lstm import LstmEncoder
from fewshot.report.tables import interval, percent
from fewshot.results import summarise

SCORES = {"accuracy": "accuracy", "recall": "recall", "f1": "F1"}


@dataclass(frozen=True)
class Effort:
    """Outer steps of both trainings, gradient steps of the fine-tuning, test episodes."""

    trained: int
    meta_trained: int
    fine_tuned: int
    episodes: int
    note: str = ""


FULL, QUICK = Effort(80, 120, 20, 200), Effort(4, 4, 2, 12, " (quick)")


@dataclass(frozen=True)
class LstmExample:
    """The rows of the table, and what they share.

    Args:
        family: where the tasks come from.
        effort: how much is done.
        compute: where.
        out: a folder for both runs; None writes nothing.
    """

    family: TaskFamily
    effort: Effort
    compute: Compute
    out: Path | None

    def rows(self) -> Iterator[tuple[str, list[TaskResult]]]:
        """Each method and its results on the same test episodes, one after another."""
        _say("1. The untrained network: the nearest prototype of its random features.")
        yield "untrained", self.test(self.network(), FrozenPrototypes(), "untrained:")

        _say("2. Trained on all meta-training classes at once; then a ridge head for each task.")
        trained = self.trainer(MultiTask(strength=1.0), self.effort.trained, "trained").fit()
        yield "trained", trained.results

        _say("3. That network, all of it fine-tuned on the support set of each task.")
        fine_tuning = MultiTask("adapter", inner_steps=self.effort.fine_tuned, inner_lr=5e-4)
        yield "fine-tuned", self.test(trained.model, fine_tuning, "fine-tuned:")

        _say("4. From the untrained network again: meta-trained on episodes like those of the test.")
        meta_trained = self.trainer(ProtoNet(), self.effort.meta_trained, "meta-trained").fit()
        yield "meta-trained", meta_trained.results

    def network(self) -> LstmEncoder:
        """Always the same random weights; dropout is on in outer steps alone."""
        model = LstmEncoder(embedding=200, hidden=128, features=128, rows=2048, dropout=0.3, max_length=24)
        return model.to(self.compute.chosen_device())

    def trainer(self, algorithm: Algorithm, steps: int, name: str) -> Trainer:
        """The outer loop around a new network; the best of its validations is kept and tested."""
        return Trainer(
            self.family,
            self.network(),
            algorithm,
            Training(steps=steps, meta_batch=8, lr=2e-3),
            Validation(every=40, episodes=min(40, self.effort.episodes)),
            Evaluation(self.effort.episodes),
            self.out / name if self.out else None,
        )

    def test(self, model: Learner, algorithm: Algorithm, title: str) -> list[TaskResult]:
        """The test episodes alone."""
        algorithm.prepare(model)
        return evaluate(
            self.family, model, algorithm, Evaluation(self.effort.episodes, curve=False), title=title
        )

    def run(self) -> None:
        """Prints the table; where there is a folder it is there as JSON too."""
        rows, started = {}, time.perf_counter()
        for name, results in self.rows():
            rows[name] = {"seconds": time.perf_counter() - started, **summarise(results)}
            _say(f"   {rows[name]['seconds']:.1f} seconds")
            started = time.perf_counter()
        source = "BANKING77" if isinstance(self.family, NWayKShot) else "attribute tasks"
        title = f"{source}, the same {self.effort.episodes} test episodes, 5-way 5-shot{self.effort.note}"
        _show(title, rows)
        if self.out:
            where = {"machine": machine(self.compute.chosen_device())} | provenance()
            write_json(self.out / "table.json", {"title": title, "rows": rows} | where)


def task_family() -> TaskFamily:
    """BANKING77 where the folder FEWSHOT_DATA has it, else attribute tasks of short sentences."""
    home = os.environ.get("FEWSHOT_DATA", "")
    if home and (Path(home) / "banking77").is_dir():
        return NWayKShot(source="banking77", way=5, shot=5, queries=5, split=ClassSplit(fold="01"))
    return Attributes(way=5, shot=5, queries=5, mentions=3)


def main(arguments: Sequence[str]) -> int:
    """Runs the example; exit codes as those of `fewshot`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lstm_example", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few steps and episodes: shows that it runs")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu")
    parser.add_argument("--out", type=Path, help="a new folder for both runs and the table as JSON")
    given = parser.parse_args(arguments)
    try:
        if given.out and given.out.exists():
            raise InputError("the output exists already", where=given.out, needed="a name that is free")
        effort = QUICK if given.quick else FULL
        LstmExample(task_family(), effort, Compute(device=given.device), given.out).run()
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(text, soft_wrap=True)


def _show(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    table = Table(title=title, caption="95% intervals; seconds of training and test")
    table.add_column("method")
    for column in (*SCORES.values(), "seconds"):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        scores = [f"{percent(row[key]['mean'])} ({interval(row[key]['ci95'])})" for key in SCORES]
        table.add_row(name, *scores, f"{row['seconds']:.1f}")
    Console(width=max(Console().width, 100)).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Run directories with answers drawn at random: what a report reads, without training a model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fewshot.checkpoint import save_tensors
from fewshot.data.example import Example
from fewshot.evaluation import TaskResult
from fewshot.files import write_csv, write_json, write_text
from fewshot.inspection.shown import chosen
from fewshot.metrics.answers import Answers
from fewshot.metrics.scores import Scores, confusion, scores
from fewshot.results import class_rows, curve_rows, joined_answers, summarise, task_rows
from fewshot.tasks.episode import Episode
from fewshot.versions import SCHEMA, versions

CLASSES = ("lost card", "<b>exchange & rate</b>", "top-up", "fees", "limits", "identity", "cash", "refund")
CONFIG = "family:\n  class_path: NWayKShot\n  init_args:\n    source: talk.jsonl\n"


def episode(seed: int, way: int, queries: int) -> Episode:
    """An episode whose texts are made up."""
    generator = np.random.default_rng(seed)
    names = tuple(CLASSES[n] for n in generator.permutation(len(CLASSES))[:way])
    word = "why is my card not working since yesterday, please help " * 8
    made = [
        Example(f"{'question' if n else 'how'} {seed} {name} {n} {word[: generator.integers(0, 300)]}", name)
        for name in names
        for n in range(queries + 2)
    ]
    support = [example for n, example in enumerate(made) if n % (queries + 2) < 2]
    return Episode(tuple(support), tuple(e for e in made if e not in support), names, f"talk {seed % 2}")


def results(count: int, skill: float, queries: int = 5, way: int = 4, steps: int = 4) -> list[TaskResult]:
    """Tasks of which every inner step gets more queries right; the better, the more `skill`."""
    generator = np.random.default_rng(int(1000 * skill))
    found = []
    for number in range(count):
        drawn = episode(number, way, queries)
        rows = way * queries
        label = np.array(drawn.numbers(drawn.query))
        chance = np.linspace(0.4, skill, steps)[:, None] + generator.normal(0, 0.08)
        right = generator.random((steps, rows)) < chance
        other = (label + generator.integers(1, way, (steps, rows))) % way
        sure = generator.uniform(0.4, 1, (steps, rows))
        answers = Answers(
            task=np.zeros(rows, dtype=np.int64),
            label=label,
            ways=np.array([way]),
            steps=np.arange(steps),
            predicted=np.where(right, label, other),
            confidence=sure,
            log_right=np.log(np.where(right, sure, (1 - sure) / way + 1e-3)),
        )
        own = scores(answers)
        moments = tuple(
            Scores(**{name: float(values[step, 0]) for name, values in own.items()}) for step in range(steps)
        )
        found.append(TaskResult(number, drawn, answers, moments, moments[-1].log_loss, 0.05))
    return found


def inspection(tasks: Sequence[TaskResult], steps: int = 0) -> dict[str, Any]:
    """What a run says of its inside, with the hardest and easiest of these tasks."""
    names = [f"encoder.layer.{n}.attention.self.query.{letter}" for n in (4, 5) for letter in "AB"]
    spread = {"norm": {"mean": 0.5, "std": 0.1}}
    rates = [(name, step) for name in names for step in (range(steps) if steps else [None])]
    return {
        "inspected": 4,
        "movement": [
            {"tensor": name, **spread, "relative": 0.1 * n if n else None, "shared": 0.2 * n - 0.1}
            for n, name in enumerate(names)
        ],
        "similarity": [
            {"layer": f"layer {n}", "cka": 1.5 - 0.2 * n, "std": 0.05, "tasks": 4} for n in (4, 5)
        ],
        "rates": [{"tensor": n, "step": s, "rate": 0.01, "low": 0.008, "high": 0.02} for n, s in rates],
        "tasks": [_task(which, result) for which, result in chosen(tasks, 2)],
    }


def _task(which: str, result: TaskResult) -> dict[str, Any]:
    drawn, answers = result.episode, result.answers
    wrong = np.flatnonzero(~answers.right[-1])
    return {
        "task": result.task,
        "which": which,
        "source": drawn.source,
        "classes": list(drawn.classes),
        "accuracy": result.after.accuracy,
        "accuracy_before": result.before.accuracy,
        "support": [{"text": each.text, "label": each.label} for each in drawn.support],
        "confusion": confusion(answers)[0].tolist(),
        "errors": [
            {
                "text": drawn.query[n].text,
                "label": drawn.query[n].label,
                "answered": drawn.classes[int(answers.predicted[-1, n])],
                "confidence": float(answers.confidence[-1, n]),
                "nearest": [{"support": 0, "cosine": 0.9}, {"support": 3, "cosine": 0.4}],
                "influence": [{"support": 1, "change": 0.3}, {"support": 2, "change": -0.3}],
            }
            for n in wrong
        ],
        "influence": [None] + [0.01 * n for n in range(1, len(drawn.support))],
    }


def log(steps: int) -> list[dict[str, Any]]:
    """Lines of a training with a multi-task stage of three steps."""
    first = [{"stage": "multi-task", "step": n + 1, "loss": 3.0 - n, "accuracy": 0.1} for n in range(3)]
    speed = {"seconds": 0.5, "tasks_per_second": 8.0, "tokens_per_second": 900.0, "padding": 0.02}
    return first + [
        {"step": n + 1, "loss": 2 / (n + 1), "accuracy": 1 - 0.6 / (n + 1), "peak_memory": 2**30}
        | speed
        | ({"valid_accuracy": 0.8} if n % 10 == 9 else {})
        for n in range(steps)
    ]


def entry(each: Episode) -> dict[str, Any]:
    sets = {name: [example.hash for example in getattr(each, name)] for name in ("support", "query")}
    return {"source": each.source, "classes": list(each.classes)} | sets


def start(folder: Path, steps: int = 30) -> Path:
    """What a run has as soon as it trains."""
    write_json(folder / "run.json", {"schema": SCHEMA, "versions": versions()})
    write_text(folder / "config.yaml", CONFIG)
    write_json(folder / "data.json", {"leaks": [], "sources": ["talk.jsonl"]})
    write_text(folder / "log.jsonl", "".join(json.dumps(line) + "\n" for line in log(steps)))
    return folder


def write(folder: Path, tasks: Sequence[TaskResult], seed: int = 0, steps: int = 0) -> Path:
    """A finished run."""
    start(folder)
    save_tensors(folder / "meta.safetensors", {"head.log_scale": torch.zeros(1)})
    evaluation(folder, tasks, seed, steps)
    return folder


def evaluation(folder: Path, tasks: Sequence[TaskResult], seed: int = 0, steps: int = 0) -> None:
    """The files of an evaluation."""
    write_csv(folder / "tasks.csv", task_rows(tasks))
    write_csv(folder / "curve.csv", curve_rows(tasks))
    write_csv(folder / "classes.csv", class_rows(tasks))
    arrays = joined_answers(tasks).arrays()
    save_tensors(folder / "answers.safetensors", {n: torch.from_numpy(a) for n, a in arrays.items()})
    write_json(folder / "inspection.json", inspection(tasks, steps))
    sources = [{"name": "talk.jsonl", "revision": None, "sha256": "ab" * 32}]
    listed = [entry(result.episode) for result in tasks]
    content = {
        "schema": 1,
        "side": "test",
        "seed": seed,
        "repeats": 1,
        "sources": sources,
        "episodes": listed,
    }
    write_json(folder / "manifest.json", content)
    head = {
        "schema": SCHEMA,
        "seed": seed,
        "order": 1,
        "seconds": 60.0,
        "ran": "backbone: cpu",
        "versions": {},
    }
    write_json(folder / "summary.json", head | summarise(tasks))

"""Runs with their model cards, and how a card is read."""

import json
import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from fewshot import MAML, Attributes, Evaluation, TaskFamily, Trainer, Training, Validation
from fewshot.algorithms.algorithm import Algorithm
from fewshot.cards.card import card
from fewshot.models.learner import Learner
from fewshot.run import Run

FAMILY = Attributes(way=3, shot=2, queries=2, mentions=3)
TRAINING = Training(steps=2, meta_batch=2, seed=7)


def trained(
    learner: Learner,
    out: Path,
    family: TaskFamily = FAMILY,
    algorithm: Algorithm | None = None,
    evaluation: Evaluation = Evaluation(episodes=3),
    training: Training = TRAINING,
) -> tuple[Run, str]:
    """A run, and its card."""
    chosen = algorithm or MAML(inner_steps=1)
    run = Trainer(family, learner, chosen, training, Validation(every=0), evaluation, out=out).fit()
    return run, (out / "README.md").read_text(encoding="utf-8")


def again(run: Run, folder: Path, family: TaskFamily = FAMILY) -> str:
    """The card of a run whose files were changed."""
    data = json.loads((folder / "data.json").read_text())
    return card(run, folder, family, TRAINING, data)


def metadata(text: str) -> dict[str, Any]:
    """What the hub reads of a card."""
    found: dict[str, Any] = ModelCard(text).data.to_dict()  # type: ignore[no-untyped-call]
    return found


def results(text: str) -> list[EvalResult]:
    """The figures that the hub reads of a card."""
    data = ModelCard(text).data
    assert isinstance(data, ModelCardData)
    assert data.eval_results
    return data.eval_results


def cells(line: str) -> list[str]:
    """A row of a table, as a reader sees it."""
    parts = re.split(r"(?<!\\)\|", line)[1:-1]
    return [re.sub(r"\\(.)", r"\1", part.strip()) for part in parts]


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0].strip()


def rows_of(text: str, title: str) -> dict[str, list[str]]:
    """The table of a section by its first column, without the head."""
    lines = [cells(line) for line in section(text, title).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1, "all rows have the same columns"
    return {first: rest for first, *rest in lines[2:]}

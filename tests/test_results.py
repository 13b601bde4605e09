"""The files of an evaluation say the same of its tasks."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import LearnerMaker
from safetensors.numpy import load_file

from fewshot import MAML, Attributes, Evaluation, Trainer, Training, Validation
from fewshot.algorithms.algorithm import Adapted
from fewshot.evaluation import evaluate
from fewshot.metrics.answers import Answers
from fewshot.metrics.bootstrap import bootstrap_interval
from fewshot.metrics.intervals import over_tasks
from fewshot.metrics.scores import FURTHER, SCORES, class_scores, scores
from fewshot.results import summarise

FAMILY = Attributes(way=3, shot=2, queries=4, mentions=3)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


@pytest.fixture
def folder(make_learner: LearnerMaker, tmp_path: Path) -> Path:
    """A run of 7 test episodes with three inner steps."""
    Trainer(
        FAMILY,
        make_learner(),
        MAML(inner_steps=3),
        Training(steps=1, meta_batch=2),
        Validation(every=0),
        Evaluation(episodes=7, tasks_at_once=3),
        out=tmp_path / "run",
    ).fit()
    return tmp_path / "run"


def test_every_file_follows_from_the_answers(folder: Path) -> None:
    answers = Answers.of_arrays(load_file(folder / "answers.safetensors"))
    assert answers.steps.tolist() == [0, 1, 2, 3]
    assert (answers.tasks, len(answers.task)) == (7, 7 * 12)
    found = scores(answers)
    curve = rows(folder / "curve.csv")
    assert [(int(row["task"]), int(row["step"])) for row in curve] == [
        (t, s) for t in range(7) for s in range(4)
    ]
    for row in curve:
        task, step = int(row["task"]), int(row["step"])
        for name in (*SCORES, *FURTHER):
            assert float(row[name]) == pytest.approx(found[name][step, task], abs=1e-6)
    for row in rows(folder / "tasks.csv"):
        task = int(row["task"])
        assert float(row["accuracy"]) == pytest.approx(found["accuracy"][-1, task])
        assert float(row["accuracy_before"]) == pytest.approx(found["accuracy"][0, task])
        assert float(row["loss"]) == pytest.approx(found["log_loss"][-1, task], rel=1e-5)
    classes, by_class = rows(folder / "classes.csv"), class_scores(answers)
    assert len(classes) == 7 * 3
    assert [float(row["recall"]) for row in classes] == pytest.approx(by_class.recall.flatten().tolist())


def test_the_summary_follows_from_the_rows(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    tasks, curve = rows(folder / "tasks.csv"), rows(folder / "curve.csv")
    for name in ("accuracy", "precision", "recall", "f1", "balanced_accuracy", "f1_micro", "ece"):
        values = [float(row[name]) for row in tasks]
        expected = over_tasks(values, lower_is_better=name == "ece")
        for key, value in expected.items():
            assert summary[name][key] == pytest.approx(value)
        assert summary[name]["bootstrap95"] == pytest.approx(bootstrap_interval(values, 0))
    assert [each["step"] for each in summary["curve"]] == [0, 1, 2, 3]
    for each in summary["curve"]:
        mine = [float(row["log_loss"]) for row in curve if int(row["step"]) == each["step"]]
        assert each["log_loss"]["mean"] == pytest.approx(np.mean(mine))
        assert each["log_loss"]["worst_decile"] == pytest.approx(max(mine))  # the highest loss is the worst
    for source, own in summary["sources"].items():
        mine = [float(row["accuracy"]) for row in tasks if row["source"] == source]
        assert (own["episodes"], own["accuracy"]["mean"]) == (len(mine), pytest.approx(np.mean(mine)))
    assert sum(own["episodes"] for own in summary["sources"].values()) == 7
    assert sum(each["queries"] for each in summary["calibration"]["bins"]) == 7 * 12
    assert list(summary["episodes_needed"]) == ["0.01", "0.005", "0.0025"]


def test_without_a_curve_the_ends_are_the_same(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML(inner_steps=3)
    algorithm.prepare(learner)
    curved, plain = (
        evaluate(FAMILY, learner, algorithm, Evaluation(4, curve=curve)) for curve in (True, False)
    )
    for with_curve, without in zip(curved, plain, strict=True):
        assert without.answers.steps.tolist() == [0, 3]
        assert (without.before, without.after) == (with_curve.before, with_curve.after)
        assert without.loss == with_curve.loss
    assert summarise(plain)["accuracy"] == summarise(curved)["accuracy"]


def test_looking_in_between_costs_no_seconds(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of a task counts adaptation and the last answers alone: 10 s a step, 1 s to answer."""
    now = [0.0]

    def taking(seconds: float, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            now[0] += seconds
            return work(*given)

        return timed

    monkeypatch.setattr("fewshot.course.time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(MAML, "_step", taking(10.0, MAML._step))
    monkeypatch.setattr(Adapted, "__call__", taking(1.0, Adapted.__call__))
    learner, algorithm = make_learner(), MAML(inner_steps=6)
    algorithm.prepare(learner)
    for curve in (True, False):
        results = evaluate(FAMILY, learner, algorithm, Evaluation(8, curve=curve))
        assert sum(result.seconds for result in results) == pytest.approx(61.0)
    assert now[0] == 2 * 60 + 7 + 2, "it was looked at in between, once"

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import LearnerMaker

from fewshot import MAML, Attributes, Episode, Evaluation, Example, TaskFamily, Trainer, Training, Validation
from fewshot.algorithms.algorithm import MetaStep
from fewshot.best import Best
from fewshot.checkpoint import load_meta, meta_parameters, restore, snapshot
from fewshot.errors import FewshotError, InputError
from fewshot.evaluation import evaluate
from fewshot.models.batch import TaskBatch
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import Learner
from fewshot.run import Run
from fewshot.untrusted.tensors import read_tensors
from fewshot.versions import version_of

FAMILY = Attributes(way=3, shot=2, queries=2, mentions=3)


def train(
    learner: LoraEncoder, algorithm: MAML | None = None, out: Path | None = None, **changes: int
) -> Run:
    every, patience = changes.pop("every", 2), changes.pop("patience", 5)
    return Trainer(
        FAMILY,
        learner,
        algorithm or MAML(inner_steps=2),
        Training(**({"steps": 4, "meta_batch": 2} | changes)),  # type: ignore[arg-type]
        Validation(every=every, episodes=4, patience=patience),
        Evaluation(episodes=6, tasks_at_once=4),
        out=out,
    ).fit()


def test_a_run_directory_holds_what_people_script_against(make_learner: LearnerMaker, tmp_path: Path) -> None:
    run = train(make_learner(), out=tmp_path / "run")
    names = {
        str(file.relative_to(tmp_path / "run")) for file in (tmp_path / "run").rglob("*") if file.is_file()
    }
    states = {name for name in names if name.startswith("checkpoints/step-")}
    assert {name.split(".")[0] for name in states} == {
        "checkpoints/step-00000000",
        "checkpoints/step-00000004",
    }
    assert names - states == {
        "run.json", "config.yaml", "data.json", "log.jsonl", "tasks.csv", "summary.json", "manifest.json",
        "curve.csv", "classes.csv", "answers.safetensors", "inspection.json", "meta.safetensors", "README.md",
        "adapter/adapter_config.json", "adapter/adapter_model.safetensors", "checkpoints/best.safetensors",
    }  # fmt: skip
    with (tmp_path / "run" / "tasks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "task", "source", "classes", "way", "shot", "queries", "accuracy", "precision", "recall", "f1",
        "loss",
        "accuracy_before", "seconds", "balanced_accuracy", "f1_micro", "ece",
    ]  # fmt: skip
    assert [int(row["task"]) for row in rows] == list(range(6))
    assert (rows[0]["way"], rows[0]["shot"], rows[0]["queries"]) == ("3", "2", "2")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary == run.summary
    assert summary["schema"] == 1
    assert (summary["episodes"], summary["way"], summary["shot"], summary["seed"]) == (6, 3, 2, 0)
    assert summary["order"] == 1
    assert summary["ran"] == "backbone: cpu, float32, eager attention, frozen below layer 1: once a text"
    mean = sum(float(row["accuracy"]) for row in rows) / 6
    assert summary["accuracy"]["mean"] == pytest.approx(mean)
    assert set(summary["before"]) == {"accuracy", "precision", "recall", "f1"}
    assert summary["versions"]["torch"] == version_of("torch")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [1, 2, 3, 4]
    assert ["valid_accuracy" in line for line in log] == [False, True, False, True]
    assert all(0 <= line["padding"] < 1 for line in log)


def test_training_changes_every_meta_parameter_and_nothing_else(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML(inner_steps=2)
    frozen = {n: p.detach().clone() for n, p in learner.named_parameters() if not p.requires_grad}
    algorithm.prepare(learner)
    before = snapshot(meta_parameters(learner, algorithm))
    train(learner, algorithm, every=0)
    after = snapshot(meta_parameters(learner, algorithm))
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert all(torch.equal(frozen[n], p) for n, p in learner.named_parameters() if n in frozen)


def test_the_same_seed_gives_the_same_run(make_learner: LearnerMaker) -> None:
    first, again, other = (train(make_learner(), seed=seed) for seed in (1, 1, 2))
    values = [snapshot(meta_parameters(run.model, run.algorithm)) for run in (first, again, other)]
    assert all(torch.equal(values[0][name], values[1][name]) for name in values[0])
    assert any(not torch.equal(values[0][name], values[2][name]) for name in values[0])
    assert [r.after for r in first.results] == [r.after for r in again.results]


class Repeating(TaskFamily):
    """The same two episodes again and again."""

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        return FAMILY.episode(index, np.random.default_rng(index % 2))


def test_the_loss_on_the_same_episodes_falls(make_learner: LearnerMaker, tmp_path: Path) -> None:
    Trainer(
        Repeating(),
        make_learner(),
        MAML(inner_steps=2),
        Training(steps=20, meta_batch=2, lr=0.01),
        Validation(every=0),
        Evaluation(episodes=1),
        out=tmp_path / "run",
    ).fit()
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.7 * losses[0]


class Worsening(MAML):
    """Is fine before the third outer step and useless from then on."""

    calls = 0

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        self.calls += 1
        if self.calls == 3:
            with torch.no_grad():
                for value in learner.adapter().values():
                    value.fill_(0.5)
        return super().meta_step(learner, support, query)


def test_the_best_validation_is_kept_and_training_stops_early(
    make_learner: LearnerMaker, tmp_path: Path
) -> None:
    algorithm = Worsening(inner_steps=0)
    run = train(make_learner(), algorithm, tmp_path / "run", steps=30, every=1, patience=3)
    assert algorithm.calls < 30
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    best = max(line["valid_accuracy"] for line in log)
    assert log[-1]["valid_accuracy"] < best
    kept = read_tensors(tmp_path / "run" / "checkpoints" / "best.safetensors")
    final = snapshot(meta_parameters(run.model, run.algorithm))
    assert all(torch.equal(kept[name], final[name]) for name in final)
    assert all(float(value.abs().max()) < 0.5 for name, value in final.items() if name.endswith(".B"))


def test_among_equal_validations_the_lowest_loss_is_kept(
    make_learner: LearnerMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.9, 0.5, 0.7, 0.6])

    def evaluated(*arguments: Any, **options: Any) -> list[Any]:
        results: list[Any] = evaluate(*arguments, **options)
        if options.get("side") != "valid":
            return results
        loss = next(losses)
        after = replace(results[0].after, accuracy=0.75)
        return [replace(result, moments=(after,), loss=loss) for result in results]

    monkeypatch.setattr("fewshot.training.evaluate", evaluated)
    found: list[dict[str, torch.Tensor]] = []
    algorithm = MAML(inner_steps=1)
    learner = make_learner()

    def remember(*_: Any) -> None:
        found.append(snapshot(meta_parameters(learner, algorithm)))

    monkeypatch.setattr(algorithm, "at", remember)  # called as a step begins
    train(learner, algorithm, tmp_path / "run", steps=4, every=1)
    kept = read_tensors(tmp_path / "run" / "checkpoints" / "best.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in found[2].items())
    assert not all(torch.equal(kept[name], value) for name, value in found[1].items())


def test_right_answers_count_the_same_in_any_order() -> None:
    one, other = 0.3, 0.1 + 0.2  # a sum in another order may differ in its last bit
    assert one < other
    best = Best({})
    assert best.take({}, 1, one, loss=0.5)
    assert not best.take({}, 2, other, loss=0.6)
    assert (best.step, best.worse) == (1, 1)
    assert best.take({}, 3, one, loss=0.4)
    assert (best.step, best.worse) == (3, 0)


def test_a_loss_that_is_not_finite_stops_with_its_step(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    with torch.no_grad():
        next(iter(learner.adapter().values())).fill_(math.nan)
    with pytest.raises(FewshotError) as error:
        train(learner)
    assert str(error.value) == (
        "the loss is not finite\n"
        "  where:  outer step 4, episodes 6 to 7\n"
        "  got:    task 1 of 2, inner step 1: its support loss; 4 outer steps in a row could not be taken\n"
        "  do:     lower training.lr or algorithm.inner_lr"
    )
    assert error.value.exit_code == 1


def test_an_outer_step_that_is_not_finite_is_skipped_and_counted(
    make_learner: LearnerMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = MAML.meta_step, []

    def breaks_once(self: MAML, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        calls.append(1)
        step = real(self, learner, support, query)
        if len(calls) == 3:  # the second outer step; the first call measures
            step.trace.losses[1][1] = math.inf
        return step

    monkeypatch.setattr(MAML, "meta_step", breaks_once)
    run = train(make_learner(), out=tmp_path / "run", every=0)
    assert run.summary["skipped_steps"] == 1
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[1] == {"step": 2, "skipped": "task 2 of 2, inner step 2: its support loss"}
    assert [line["step"] for line in lines if "loss" in line] == [1, 3, 4]


def test_the_meta_parameters_come_back(make_learner: LearnerMaker, tmp_path: Path) -> None:
    run = train(make_learner(), out=tmp_path / "run")
    fresh, algorithm = make_learner(), MAML(inner_steps=2)
    algorithm.prepare(fresh)
    load_meta(tmp_path / "run", fresh, algorithm)
    ours, theirs = (
        snapshot(meta_parameters(run.model, run.algorithm)),
        snapshot(meta_parameters(fresh, algorithm)),
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_meta_parameters_of_another_model_are_refused(make_learner: LearnerMaker) -> None:
    parameters = meta_parameters(make_learner(), MAML())
    with pytest.raises(InputError, match="belong to another model or algorithm"):
        restore(parameters, {"head.log_scale": torch.zeros(())}, "here")


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.0), ("linear", 0.0), ("constant", 1.0)])
def test_the_rate_rises_and_falls(schedule: str, last: float) -> None:
    training = Training(steps=100, warmup=0.1, schedule=schedule)  # type: ignore[arg-type]
    factors = [training.factor(step) for step in range(101)]
    assert factors[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(factors) == pytest.approx(1.0, abs=1e-3)
    assert factors[100] == pytest.approx(last, abs=1e-9)


@pytest.mark.parametrize("name", ["steps", "meta_batch", "lr", "warmup", "weight_decay", "clip", "seed"])
def test_negative_settings_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"training.{name} is too small"):
        Training(**{name: -1})  # type: ignore[arg-type]


class Greetings(TaskFamily):
    """A family of somebody else's."""

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        words = generator.permutation(["hello", "hi", "hey", "bye", "farewell", "ciao"]).tolist()
        examples = [Example(word, "in" if word.startswith("h") else "out") for word in words]
        by_label = {label: [e for e in examples if e.label == label] for label in ("in", "out")}
        return Episode(
            support=tuple(found[0] for found in by_label.values()),
            query=tuple(e for found in by_label.values() for e in found[1:]),
            classes=("in", "out"),
        )


def test_a_family_of_ones_own(make_learner: LearnerMaker) -> None:
    run = Trainer(
        Greetings(),
        make_learner(),
        MAML(),
        Training(steps=2, meta_batch=2),
        Validation(every=0),
        Evaluation(episodes=3),
    ).fit()
    assert run.folder is None
    assert run.summary["way"] == 2
    assert len(run.results) == 3


class Impossible(TaskFamily):
    """Fails on the test side alone."""

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        return FAMILY.episode(index, generator)

    def split(self, side: str) -> TaskFamily:
        if side == "test":
            raise InputError("no test classes")
        return self


def test_an_impossible_test_side_is_found_before_anything_is_written(
    make_learner: LearnerMaker, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no test classes"):
        Trainer(Impossible(), make_learner(), MAML(), out=tmp_path / "run").fit()
    assert not (tmp_path / "run").exists()

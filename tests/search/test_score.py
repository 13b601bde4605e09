"""S, L* and J: their closed forms, and where commands write them."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import handmade
import numpy as np
import pytest
import torch
from conftest import LearnerMaker
from scipy import stats
from torch import Tensor

from fewshot.algorithms.algorithm import Algorithm, MetaStep, Predictor
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.multitask import MultiTask
from fewshot.best import Validated
from fewshot.checkpoint import snapshot
from fewshot.cli import main
from fewshot.data.example import Example
from fewshot.errors import InputError
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.outer import Training, Validation
from fewshot.results import summarise
from fewshot.run import Run
from fewshot.score import score
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.training import Trainer

FAMILY = Attributes(way=3, shot=2, queries=2, mentions=3)
NEEDED = (
    "  needed: a loss above 0, in nats: ln N is that of guessing among N balanced classes\n"
    "  do:     take episodes with queries of at least two classes, or set validation.baseline_loss"
)


def refusal(where: str, got: object) -> str:
    return f"the baseline loss L* cannot be divided by\n  where:  {where}\n  got:    {got}\n{NEEDED}"


def flat(content: dict[str, Any]) -> dict[str, float]:
    """A score as `summary.json` has it, for comparisons."""
    low, high = content["ci95"]
    return {name: value for name, value in content.items() if name != "ci95"} | {"low": low, "high": high}


def episode(*labels: str, way: int = 3, source: str = "") -> Episode:
    """One whose queries have these labels."""
    classes = tuple("abcdefgh"[:way])
    support = tuple(Example(f"support of {name}", name) for name in classes)
    query = tuple(Example(f"query {n}", label) for n, label in enumerate(labels))
    return Episode(support, query, classes, source, outside=(Example("of no class", "none"),))


# S


@pytest.mark.parametrize("way", [2, 5, 64])
def test_chance_is_one(way: int) -> None:
    found = score([math.log(way)] * 7, [math.log(way)] * 7)
    assert (found.mean, found.std, found.low, found.high) == pytest.approx((1.0, 0.0, 1.0, 1.0))
    assert found.baseline_loss == pytest.approx(math.log(way))


def test_a_score_is_a_mean_of_losses_in_units_of_the_mean_prior() -> None:
    found = score([0.5, 1.0, 3.0], [1.0, 2.0, 3.0])
    assert found.baseline_loss == 2.0
    assert found.mean == pytest.approx(4.5 / 3 / 2)


def test_the_baseline_of_the_user_stands_in_place_of_the_prior() -> None:
    found = score([2.0, 1.0], [9.0, 9.0], 3.0)
    assert (found.mean, found.baseline_loss) == pytest.approx((0.5, 3.0))
    assert score([2.0, 1.0], [0.0, 0.0], 3.0) == found  # nor does it need one


def test_the_interval_is_students_over_tasks() -> None:
    losses = np.random.default_rng(0).exponential(1.0, 25)
    found = score(losses.tolist(), [math.log(3)] * 25)
    shares = losses / math.log(3)
    expected = stats.t.interval(0.95, 24, loc=shares.mean(), scale=stats.sem(shares))
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.mean, found.std) == pytest.approx((shares.mean(), shares.std(ddof=1)))
    assert found.plain() == {
        "mean": found.mean,
        "std": found.std,
        "ci95": [found.low, found.high],
        "baseline_loss": math.log(3),
    }


def test_one_task_has_no_spread() -> None:
    found = score([0.8], [1.6])
    assert (found.mean, found.std, found.low, found.high) == (0.5, 0.0, 0.5, 0.5)


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, -math.inf, math.nan])
def test_nothing_is_measured_in_units_of(value: float) -> None:
    with pytest.raises(InputError) as caught:
        score([1.0], [1.0], value)
    assert str(caught.value) == refusal("baseline_loss", value)
    with pytest.raises(InputError) as caught:
        Validation(baseline_loss=value)
    assert str(caught.value) == refusal("validation.baseline_loss", value)


def test_queries_of_one_class_have_no_unit() -> None:
    with pytest.raises(InputError) as caught:
        score([1.0, 2.0], [0.0, 0.0])
    assert str(caught.value) == refusal("the class prior of these episodes", 0.0)


def test_one_episode_with_two_classes_is_enough() -> None:
    assert score([1.0, 2.0], [0.0, 1.0]).baseline_loss == 0.5


# the prior of an episode


@pytest.mark.parametrize("way", [2, 3, 5, 8])
def test_balanced_queries_are_guessed_at_ln_n(way: int) -> None:
    assert episode(*"abcdefgh"[:way] * 4, way=way).prior_loss == pytest.approx(math.log(way), rel=1e-14)


@pytest.mark.parametrize("counts", [(1, 2), (1, 1, 7), (5, 3, 2), (4, 4, 1)])
def test_unbalanced_queries_are_guessed_at_their_entropy(counts: tuple[int, ...]) -> None:
    labels = [name for name, count in zip("abc", counts, strict=False) for _ in range(count)]
    assert episode(*labels).prior_loss == pytest.approx(stats.entropy(counts), rel=1e-14)


def test_a_class_without_queries_counts_for_nothing() -> None:
    assert episode("a", "b", way=5).prior_loss == pytest.approx(math.log(2))


def test_one_class_is_guessed_for_nothing() -> None:
    assert episode("a", "a", "a").prior_loss == 0


def results(*drawn: Episode, loss: float = 0.6) -> list[TaskResult]:
    same = handmade.scores(0.5, 0.5, 0.5, 0.5)
    return [handmade.result(n, each, same, same, loss * (n + 1)) for n, each in enumerate(drawn)]


def test_a_validation_has_the_score_of_its_tasks() -> None:
    found = Validated(4, results(episode("a", "b"), episode("a", "b", "c")))
    unit = (math.log(2) + math.log(3)) / 2
    assert found.score(None).mean == pytest.approx(0.9 / unit)
    assert found.line(None) == pytest.approx(
        {"valid_accuracy": 0.5, "valid_loss": 0.9, "valid_score": 0.9 / unit}
    )
    assert found.line(0.3)["valid_score"] == pytest.approx(3.0)


def test_without_a_unit_the_rest_is_written_all_the_same() -> None:
    found = results(episode("a", "a"), episode("b"))
    assert Validated(4, found).line(None) == {"valid_accuracy": 0.5, "valid_loss": pytest.approx(0.9)}
    assert Validated(4, found).line(0.3)["valid_score"] == pytest.approx(3.0)
    assert summarise(found)["score"] is None
    assert summarise(found, 0.3)["score"]["mean"] == pytest.approx(3.0)


class Guess(Algorithm):
    """Learns nothing: all classes score the same."""

    adapts = False

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        def predict(query: TaskBatch) -> Tensor:
            return torch.zeros(len(query.labels), max(query.ways))

        return predict


def test_a_learner_that_guesses_scores_one(make_learner: LearnerMaker) -> None:
    found = summarise(evaluate(FAMILY, make_learner(), Guess(), Evaluation(episodes=4)))["score"]
    expected = {"mean": 1.0, "std": 0.0, "low": 1.0, "high": 1.0, "baseline_loss": math.log(3)}
    assert flat(found) == pytest.approx(expected, abs=1e-6)


# on the command line


@pytest.fixture
def small(tiny_backbone: str) -> list[str]:
    """Options of a run of a second."""
    return [
        "--family.way=3", "--family.shot=2", "--family.queries=2", "--family.mentions=3",
        "--training.steps=2", "--training.meta_batch=2", "--validation.every=1", "--validation.episodes=2",
        "--evaluation.episodes=3", "--algorithm.inner_steps=1", f"--model.backbone={tiny_backbone}",
    ]  # fmt: skip


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def summary_of(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return content


def losses_of(run: Path) -> list[float]:
    with (run / "tasks.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def refused(words: list[str], got: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused as wrong input, before anything is written."""
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr() == ("", f"error: {refusal('validation.baseline_loss', got)}\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("value", "got"), [("0", "0.0"), (".nan", "nan")])
def test_a_wrong_baseline_loss_is_refused(
    value: str, got: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["train", f"--validation.baseline_loss={value}"], got, tmp_path, capsys)


def test_a_search_refuses_it_before_its_first_trial(
    small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = "--search={training.lr: [0.001, 0.01]}"
    refused(["search", *small, space, "--validation.baseline_loss=0"], "0.0", tmp_path, capsys)


def test_a_training_writes_scores_and_objective(small: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(["train", *small, "--out", str(run)]) == 0
    shares, summary, log = np.array(losses_of(run)) / math.log(3), summary_of(run), log_of(run)
    low, high = stats.t.interval(0.95, 2, loc=shares.mean(), scale=stats.sem(shares))
    expected = {"mean": shares.mean(), "std": shares.std(ddof=1), "low": low, "high": high}
    assert flat(summary["score"]) == pytest.approx(expected | {"baseline_loss": math.log(3)})
    assert [line["step"] for line in log] == [1, 2]
    for line in log:
        assert line["objective"] == pytest.approx(line["loss"] / math.log(3))
        assert line["valid_score"] == pytest.approx(line["valid_loss"] / math.log(3))
    kept = summary["validation"]
    assert kept["valid_score"] == log[kept["step"] - 1]["valid_score"]
    assert summary["objective"] == {
        "meta-training": pytest.approx(sum(line["objective"] for line in log) / 2)
    }


def test_a_baseline_loss_is_the_unit_of_every_score(small: list[str], tmp_path: Path) -> None:
    run, words = tmp_path / "run", ["--validation.baseline_loss=2.5"]
    assert main(["train", *small, *words, "--out", str(run)]) == 0
    assert summary_of(run)["score"]["baseline_loss"] == 2.5
    assert summary_of(run)["score"]["mean"] == pytest.approx(np.mean(losses_of(run)) / 2.5)
    for line in log_of(run):
        assert line["valid_score"] == pytest.approx(line["valid_loss"] / 2.5)
    assert main(["evaluate", str(run), "--name", "again"]) == 0
    again = summary_of(run / "evaluations" / "again")
    assert flat(again["score"]) == pytest.approx(flat(summary_of(run)["score"]), rel=1e-4)


# J and multi-task training


def trained(
    learner: Learner, algorithm: Algorithm, out: Path | None = None, family: TaskFamily = FAMILY, **how: Any
) -> Run:
    settings = {"steps": 3, "meta_batch": 2} | how
    return Trainer(
        family,
        learner,
        algorithm,
        Training(**settings),
        Validation(every=0),
        Evaluation(episodes=1),
        out=out,
    ).fit()


def test_the_objective_of_multi_task_training_is_in_units_of_all_classes(
    make_learner: LearnerMaker, tmp_path: Path
) -> None:
    trained(make_learner(), MultiTask(), tmp_path / "run")
    (count,) = {len(names) for names in FAMILY.split("train").classes().values()}
    assert count > 3  # more than an episode has
    for line in log_of(tmp_path / "run"):
        assert line["objective"] == pytest.approx(line["loss"] / math.log(count))


def test_each_source_has_its_own_number_of_classes() -> None:
    algorithm = MultiTask()
    algorithm.meet({"one": ["a", "b", "c"], "other": ["a", "b", "c", "d", "e"]})
    drawn = [episode("a", source="one"), episode("b", source="other"), episode("c", source="other")]
    assert algorithm.baseline_loss(drawn) == pytest.approx((math.log(3) + 2 * math.log(5)) / 3)


def test_other_algorithms_are_asked_about_the_classes_of_the_episode() -> None:
    drawn = [episode("a", "b"), episode("a", "b", "c"), episode("a", "a")]
    assert MAML().baseline_loss(drawn) == pytest.approx((math.log(2) + math.log(3)) / 3)


class Watching(MAML):
    """Looks at the learner ahead of every outer step."""

    def prepare(self, learner: Learner) -> str:
        self.seen: list[dict[str, dict[str, Tensor]]] = []
        self._learner = [learner]  # in a list, for it is no part of this module
        return super().prepare(learner)

    def at(self, done: float) -> None:
        self.seen.append(parts(self._learner[0]))


def parts(learner: Learner) -> dict[str, dict[str, Tensor]]:
    """Copies of adapter and head."""
    return {
        "adapter": snapshot(dict(learner.adapter())),
        "head": snapshot(dict(learner.head.named_parameters())),
    }


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("own", "found"), [(0.02, 0.02), (0, 0.005)])
def test_multi_task_training_has_a_rate_of_its_own(
    own: float, found: float, make_learner: LearnerMaker, tmp_path: Path
) -> None:
    rates: dict[str, Any] = {"schedule": "constant", "warmup": 0.0, "lr": 0.005, "multitask_lr": own}
    learner, algorithm = make_learner(), MAML(inner_steps=1)
    trained(learner, algorithm, tmp_path / "run", steps=2, multitask_steps=2, **rates)
    log = log_of(tmp_path / "run")
    assert [line["lr"] for line in log] == pytest.approx([found, found, 0.005, 0.005])


def test_meta_training_starts_from_the_adapter_of_multi_task_training_and_its_own_head(
    make_learner: LearnerMaker, tmp_path: Path
) -> None:
    learner, algorithm, alone = make_learner(), Watching(inner_steps=1), make_learner()
    before = parts(learner)
    run = trained(learner, algorithm, tmp_path / "run", steps=2, multitask_steps=3)
    trained(alone, MultiTask(), steps=3)
    first = algorithm.seen[0]
    assert not equal(first["adapter"], before["adapter"])
    assert equal(first["adapter"], parts(alone)["adapter"])
    assert not equal(parts(alone)["head"], before["head"])  # that training moved its own
    assert equal(first["head"], before["head"])
    log, count = log_of(tmp_path / "run"), len(next(iter(FAMILY.split("train").classes().values())))
    assert [(line.get("stage"), line["step"]) for line in log] == [
        ("multi-task", 1), ("multi-task", 2), ("multi-task", 3), (None, 1), (None, 2),
    ]  # fmt: skip
    units = [math.log(count)] * 3 + [math.log(3)] * 2
    for line, unit in zip(log, units, strict=True):
        assert line["objective"] == pytest.approx(line["loss"] / unit)
    assert run.summary["objective"] == {
        "multi-task": pytest.approx(sum(line["objective"] for line in log[:3]) / 3),
        "meta-training": pytest.approx(sum(line["objective"] for line in log[3:]) / 2),
    }


def test_without_multi_task_steps_there_are_none(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), Watching(inner_steps=1)
    before = parts(learner)
    run = trained(learner, algorithm, steps=1)
    assert equal(algorithm.seen[0]["adapter"], before["adapter"])
    assert list(run.summary["objective"]) == ["meta-training"]


def test_a_negative_number_of_multi_task_steps_is_refused() -> None:
    with pytest.raises(InputError, match=r"training.multitask_lr is too small"):
        Training(multitask_lr=-1)
    with pytest.raises(InputError) as caught:
        Training(multitask_steps=-1)
    assert str(caught.value) == "training.multitask_steps is too small\n  got:    -1\n  needed: 0 or more"


class Nameless(TaskFamily):
    """Lists no classes."""

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        return FAMILY.episode(index, generator)


def test_multi_task_steps_need_a_family_that_lists_its_classes(
    make_learner: LearnerMaker, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        trained(make_learner(), MAML(inner_steps=1), tmp_path / "run", Nameless(), multitask_steps=1)
    assert str(caught.value) == (
        "multi-task training needs to know all classes beforehand\n"
        "  where:  family\n"
        "  needed: a family whose `classes` lists them by source"
    )
    assert not (tmp_path / "run").exists()  # found before anything is written


class Stuck(MAML):
    """Has a loss that is not finite in its first outer step."""

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        step = super().meta_step(learner, support, query)
        return MetaStep(step.losses * math.nan, step.scores) if self.first else step

    first = False

    def at(self, done: float) -> None:
        self.first = done == 0


def test_a_skipped_step_has_no_objective(make_learner: LearnerMaker, tmp_path: Path) -> None:
    run = trained(make_learner(), Stuck(inner_steps=1), tmp_path / "run", steps=3)
    log = log_of(tmp_path / "run")
    assert ["objective" in line for line in log] == [False, True, True]
    assert run.summary["objective"] == {
        "meta-training": pytest.approx((log[1]["objective"] + log[2]["objective"]) / 2)
    }

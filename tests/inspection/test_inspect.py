import json
from typing import Any

import pytest
import torch
from conftest import LearnerMaker

from fewshot import MAML, Attributes, Evaluation
from fewshot.algorithms.algorithm import Algorithm, Predictor, ready
from fewshot.algorithms.maml import key
from fewshot.algorithms.mamlplusplus import MAMLPlusPlus
from fewshot.algorithms.metasgd import MetaSGD
from fewshot.algorithms.prototypes import FrozenPrototypes
from fewshot.evaluation import TaskResult, evaluate
from fewshot.inspection.inspect import inspect, rates
from fewshot.inspection.shown import chosen
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.lstm import LstmEncoder
from fewshot.tasks.family import episodes

FAMILY = Attributes(way=3, shot=2, queries=4, mentions=3)
SETTINGS = Evaluation(episodes=10, tasks_at_once=4, inspected=6, shown=2)


def inspected(learner: Learner, algorithm: Algorithm) -> tuple[list[TaskResult], dict[str, Any]]:
    """An evaluation, and what is inside."""
    algorithm.prepare(learner)
    results = evaluate(FAMILY, learner, algorithm, SETTINGS)
    found = inspect(learner, algorithm, results, SETTINGS)
    assert found is not None
    return results, found


def test_what_is_said_of_the_tasks(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML(inner_steps=2)
    results, found = inspected(learner, algorithm)
    assert found == json.loads(json.dumps(found))
    assert found["inspected"] == 6
    moved = [row["tensor"] for row in found["movement"]]
    assert set(moved) == {*learner.adapter(), "head.weight", "head.bias"}
    assert all(row["norm"]["mean"] > 0 for row in found["movement"])
    layers = {row["layer"]: row["cka"] for row in found["similarity"]}
    assert list(layers) == ["layer 1", "layer 2"]  # the adapted ones
    assert all(-1 < value <= 1.000001 for value in layers.values())
    assert {row["tensor"] for row in found["rates"]} == set(moved)
    by_accuracy = [result.after.accuracy for result in sorted(results, key=lambda r: r.after.accuracy)]
    kinds = [(task["which"], task["accuracy"]) for task in found["tasks"]]
    assert [which for which, _ in kinds] == ["hardest"] * 2 + ["easiest"] * 2
    assert [task["influence"] is not None for task in found["tasks"]] == [True, False, False, False]
    assert [value for _, value in kinds] == [*by_accuracy[:2], *by_accuracy[:-3:-1]]


def test_an_error_comes_with_its_nearest_support_texts(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML(inner_steps=1)
    _, found = inspected(learner, algorithm)
    worst = found["tasks"][0]
    (episode,) = episodes(FAMILY, "test", 0, [worst["task"]])
    assert [each["text"] for each in worst["support"]] == [example.text for example in episode.support]
    wrong = sum(sum(row) - row[n] for n, row in enumerate(worst["confusion"]))
    assert len(worst["errors"]) == wrong > 0
    assert sum(map(sum, worst["confusion"])) == len(episode.query)
    support, query = ready(learner, [episode])
    stack = algorithm.adapt(learner, support).stack  # type: ignore[attr-defined]
    with torch.no_grad():
        features = [learner.features(stack, each) for each in (query, support)]
    cosines = torch.cosine_similarity(features[0][:, None], features[1][None], dim=-1)
    for error in worst["errors"]:
        assert error["answered"] != error["label"]
        row = cosines[[example.text for example in episode.query].index(error["text"])]
        best = max(range(len(row)), key=lambda n: row[n].item())
        assert error["nearest"][0] == {"support": best, "cosine": pytest.approx(row[best].item(), abs=1e-5)}
        assert len(error["influence"]) == len(episode.support)


def test_the_extremes_are_ordered_by_accuracy_then_loss(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), FrozenPrototypes()
    results = evaluate(FAMILY, learner, algorithm, SETTINGS)
    picked = chosen(results, 5)
    keys = [(result.after.accuracy, -result.loss) for which, result in picked if which == "hardest"]
    assert keys == sorted(keys)
    assert len({result.task for _, result in picked}) == 10
    assert len(chosen(results[:3], 5)) == 2  # none is both


def test_what_does_not_adapt_moves_nothing(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), FrozenPrototypes()
    results, found = inspected(learner, algorithm)
    assert (found["movement"], found["similarity"], found["rates"]) == ([], [], [])
    assert len(found["tasks"]) == 4
    assert inspect(learner, algorithm, results, Evaluation(inspected=0)) is None


class Opaque(MAML):
    """Predictors that do not say what they are made of."""

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        predict = super().adapt(learner, support)
        return lambda query: predict(query)


def test_predictors_that_say_nothing_are_not_looked_into(make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), Opaque(inner_steps=1)
    _, found = inspected(learner, algorithm)
    assert (found["movement"], found["similarity"]) == ([], [])
    assert all(error["nearest"] == [] for task in found["tasks"] for error in task["errors"])


def test_a_model_without_layers_has_its_features() -> None:
    learner, algorithm = LstmEncoder(), MAML(inner_steps=1)
    _, found = inspected(learner, algorithm)
    assert [row["layer"] for row in found["similarity"]] == ["features"]


@pytest.mark.parametrize("learned", [True, False])
def test_the_rates_are_those_that_were_learned(learned: bool, make_learner: LearnerMaker) -> None:
    learner, algorithm = make_learner(), MAML(inner_lr=0.3, learn_inner_lr=learned)
    algorithm.prepare(learner)
    rows = rates(algorithm)
    assert len(rows) == (len(learner.adapter()) + 2 if learned else 0)
    assert all(row["rate"] == row["low"] == row["high"] == pytest.approx(0.3) for row in rows)
    assert all(row["step"] is None for row in rows)


def test_rates_by_step_and_by_number(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    name = next(iter(learner.adapter()))
    stepped = MAMLPlusPlus(inner_steps=3, inner_lr=0.3)
    stepped.prepare(learner)
    with torch.no_grad():
        stepped.log_rates[key(name)][1] *= 2
    mine = [row for row in rates(stepped) if row["tensor"] == name]
    assert [row["step"] for row in mine] == [0, 1, 2]
    assert [row["rate"] for row in mine] == pytest.approx([0.3, 0.09, 0.3])
    each = MetaSGD(inner_lr=0.3)
    each.prepare(learner)
    with torch.no_grad():
        each.rates[key(name)].view(-1)[0] = -1.0
    (row,) = [row for row in rates(each) if row["tensor"] == name]
    assert (row["low"], row["high"]) == pytest.approx((-1.0, 0.3))

"""Texts computed once, where all tasks have the same body."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from conftest import LearnerMaker

from fewshot.algorithms.algorithm import Algorithm, Predictor, ready
from fewshot.algorithms.algorithms import ALGORITHMS, BASELINES
from fewshot.evaluation import Evaluation, evaluate
from fewshot.models.batch import Rows, TaskBatch
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import Learner
from fewshot.models.remembered import Remembered
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.family import episodes

FAMILY = Attributes(way=3, shot=2, queries=2, mentions=2)
MADE: dict[str, Callable[[], Algorithm]] = {**ALGORITHMS, **BASELINES}
SHARING = {name: made for name, made in MADE.items() if made().shares_body}


def test_which_methods_share_a_body() -> None:
    assert set(SHARING) == {
        "ProtoNet", "R2D2", "MultiTask",
        "zero-shot", "prototypes", "prototypes-euclidean", "ridge", "logistic",
    }  # fmt: skip


@pytest.mark.parametrize("name", SHARING)
def test_scores_are_those_of_the_learner(name: str, make_learner: LearnerMaker) -> None:
    algorithm: Algorithm = SHARING[name]()
    learner = make_learner()
    algorithm.prepare(learner)
    drawn = list(episodes(FAMILY, "test", 0, range(4)))
    support, query = ready(learner, drawn)
    plain = algorithm.adapt(learner, support)(query)
    remembering = Remembered(learner)
    support, query = ready(remembering, drawn)
    torch.testing.assert_close(algorithm.adapt(remembering, support)(query), plain, atol=1e-4, rtol=1e-4)


def test_a_text_is_computed_once(make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    learner, asked = make_learner(), list[Any]()
    batch = learner.batch

    def counted(rows: Rows) -> Any:
        asked.extend(rows.texts)
        return batch(rows)

    monkeypatch.setattr(learner, "batch", counted)
    algorithm = ALGORITHMS["ProtoNet"]()
    algorithm.prepare(learner)
    evaluate(Attributes(way=2, shot=1, queries=1, mentions=2), learner, algorithm, Evaluation(60))
    assert asked
    assert len(asked) == len(set(asked))


def test_an_adapting_method_is_given_the_learner_itself(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[type] = []
    algorithm = ALGORITHMS["MAML"]()
    learner = make_learner()
    algorithm.prepare(learner)
    course = algorithm.course

    def watched(own: Learner, support: TaskBatch) -> Iterator[Predictor]:
        given.append(type(own))
        return course(own, support)

    monkeypatch.setattr(algorithm, "course", watched)
    evaluate(FAMILY, learner, algorithm, Evaluation(2))
    assert given == [LoraEncoder]

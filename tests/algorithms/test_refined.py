"""What a task is learned by after prototypes were trained: a ridge head, or soft k-means over the queries."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import LearnerMaker, attribute_episodes

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.prototypes import ProtoNet, Then
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch


def by_hand(known: np.ndarray, labels: np.ndarray, asked: np.ndarray, scale: float, steps: int) -> np.ndarray:
    """Scores of one task's queries, up to what is the same for all classes."""
    one_hot = np.eye(labels.max() + 1)[labels]
    means = one_hot.T @ known / one_hot.sum(0)[:, None]
    for _ in range(steps + 1):
        scores = -scale * ((asked[:, None] - means[None]) ** 2).sum(-1)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        means = (one_hot.T @ known + shares.T @ asked) / (one_hot.sum(0) + shares.sum(0))[:, None]
    return np.asarray(scores - scores.mean(-1, keepdims=True))


def unit_rows(learner: object, batch: TaskBatch, task: int) -> np.ndarray:
    features = learner.features(learner.start_body(batch.tasks), batch)  # type: ignore[attr-defined]
    unit = torch.nn.functional.normalize(features, dim=-1)
    return np.asarray(unit[batch.task == task].detach().double())


@pytest.mark.parametrize("steps", [1, 4])
def test_every_step_is_one_of_soft_k_means(steps: int, make_learner: LearnerMaker) -> None:
    learner = make_learner()
    support, query = ready(learner, attribute_episodes(2))
    scores = ProtoNet(then="k-means", steps=steps).adapt(learner, support)(query)
    for task in range(2):
        labels = np.asarray(support.labels[support.task == task])
        known, asked = (unit_rows(learner, batch, task) for batch in (support, query))
        expected = by_hand(known, labels, asked, learner.head.log_scale.exp().item(), steps)
        found = np.asarray(scores[query.task == task].double())
        np.testing.assert_allclose(found - found.mean(-1, keepdims=True), expected, atol=1e-4)


def test_an_answer_depends_on_the_other_queries_only_where_it_is_asked_for(
    make_learner: LearnerMaker,
) -> None:
    learner = make_learner()
    (episode,) = attribute_episodes(1)
    support, query = ready(learner, [episode])
    _, alone = ready(learner, [replace(episode, query=episode.query[:1])])
    ways: tuple[tuple[Then, bool], ...] = (("prototypes", True), ("ridge", True), ("k-means", False))
    for then, same in ways:
        predictor = ProtoNet(then=then).adapt(learner, support)
        assert torch.allclose(predictor(query)[:1], predictor(alone), atol=1e-4) == same


def test_training_is_the_same_and_what_is_transductive_is_said(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    support, query = ready(learner, attribute_episodes(2))
    plain, refined = ProtoNet(), ProtoNet(then="k-means", steps=2)
    losses = [algorithm.meta_step(learner, support, query).losses for algorithm in (plain, refined)]
    torch.testing.assert_close(*losses)
    assert "transductive" in refined.prepare(learner)
    assert not plain.prepare(learner)
    assert (plain.takes_parts, refined.takes_parts) == (True, False)
    wrong: tuple[dict[str, Any], ...] = ({"steps": 0}, {"then": "guessing"}, {"strength": 0.0})
    for each in wrong:
        with pytest.raises(InputError):
            ProtoNet(**each)


def test_tasks_of_different_ways_stand_beside_each_other(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    wide, narrow = attribute_episodes(2)
    kept = narrow.classes[:-1]
    support, query = (
        tuple(example for example in examples if example.label in kept)
        for examples in (narrow.support, narrow.query)
    )
    narrow = replace(narrow, classes=kept, support=support, query=query)
    together, alone = (ready(learner, drawn) for drawn in ([wide, narrow], [narrow]))
    algorithm = ProtoNet(then="k-means", steps=2)
    scores = algorithm.adapt(learner, together[0])(together[1])[together[1].task == 1]
    assert torch.isinf(scores[:, -1]).all()
    assert torch.allclose(scores[:, :-1], algorithm.adapt(learner, alone[0])(alone[1]), atol=1e-4)


def test_a_ridge_head_without_intercept_has_the_normal_equations(make_learner: LearnerMaker) -> None:
    learner, strength = make_learner(), 0.7
    support, query = ready(learner, attribute_episodes(2))
    scores = ProtoNet(then="ridge", strength=strength).adapt(learner, support)(query)
    for task in range(2):
        known, asked = (unit_rows(learner, batch, task) for batch in (support, query))
        one_hot = np.eye(support.ways[task])[np.asarray(support.labels[support.task == task])]
        gram = known.T @ known + strength * np.eye(known.shape[1])
        weight = np.linalg.solve(gram, known.T @ one_hot)
        expected = learner.head.log_scale.exp().item() * asked @ weight
        np.testing.assert_allclose(np.asarray(scores[query.task == task]), expected, atol=1e-4)


def test_a_strong_penalty_gives_prototypes(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    support, query = ready(learner, attribute_episodes(2))
    by_name: dict[Then, np.ndarray] = {}
    ways: tuple[Then, ...] = ("prototypes", "ridge")
    for then in ways:
        scores = ProtoNet("cosine", then=then, strength=1e4).adapt(learner, support)(query).double()
        by_name[then] = np.asarray(scores / scores.norm(dim=-1, keepdim=True))
    np.testing.assert_allclose(by_name["ridge"], by_name["prototypes"], atol=2e-2)

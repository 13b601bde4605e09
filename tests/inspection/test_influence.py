"""Leaving support examples out, all at once, against leaving them out one by one."""

import numpy as np
import pytest
import torch
from conftest import LearnerMaker, attribute_episodes

from fewshot import MAML
from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.algorithms.prototypes import FrozenPrototypes
from fewshot.evaluation import Evaluation, TaskResult, scored
from fewshot.inspection.influence import MOST, influence, means, removable, without
from fewshot.models.learner import Learner
from fewshot.tasks.episode import Episode

SETTINGS = Evaluation(episodes=1, tasks_at_once=4)


def one(model: Learner, algorithm: Algorithm, episode: Episode) -> TaskResult:
    algorithm.prepare(model)
    (result,) = scored(model, algorithm, [episode], SETTINGS)
    return result


@pytest.mark.parametrize("kind", ["maml", "prototypes"])
def test_examples_left_out_together_are_examples_left_out_alone(
    kind: str, make_learner: LearnerMaker
) -> None:
    model = make_learner()
    algorithm: Algorithm = MAML(inner_steps=2) if kind == "maml" else FrozenPrototypes()
    (episode,) = attribute_episodes(1, way=3, shot=2, queries=2)
    result = one(model, algorithm, episode)
    found = influence(model, algorithm, result, SETTINGS)
    assert list(found) == list(range(6))
    for number, changes in found.items():
        support, query = ready(model, [without(episode, number)])
        logs = algorithm.adapt(model, support)(query).log_softmax(-1)
        alone = logs[torch.arange(6), query.labels].numpy() - result.answers.log_right[-1]
        assert changes == pytest.approx(alone, abs=1e-4)
    assert max(np.abs(changes).max() for changes in found.values()) > 1e-3


def test_the_only_example_of_a_class_stays() -> None:
    (episode,) = attribute_episodes(1, way=2, shot=2)
    label = episode.support[0].label
    alone = without(episode, next(n for n, e in enumerate(episode.support[1:], 1) if e.label == label))
    left = [alone.support[number].label for number in removable(alone)]
    assert len(left) == 2
    assert label not in left


def test_nothing_is_left_out_of_one_shot_or_of_very_many(make_learner: LearnerMaker) -> None:
    (episode,) = attribute_episodes(1, way=3, shot=1)
    assert removable(episode) == []
    model, algorithm = make_learner(), FrozenPrototypes()
    assert influence(model, algorithm, one(model, algorithm, episode), SETTINGS) == {}
    (large,) = attribute_episodes(1, way=2, shot=MOST // 2 + 1)
    assert removable(large) == []


def test_the_mean_over_queries_has_a_gap_for_what_was_not_left_out() -> None:
    assert list(means({1: np.array([0.5, -1.5])}, 3)) == [None, -0.5, None]

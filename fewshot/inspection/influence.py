"""What a task would have learned without one of its support examples: all of them at once on the task axis.

Cook: Detection of Influential Observation in Linear Regression, Technometrics 1977, left one out and fitted
again; so does this, with the whole inner loop.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from fewshot.algorithms.algorithm import Algorithm
from fewshot.evaluation import Evaluation, TaskResult, scored
from fewshot.metrics.answers import Floats
from fewshot.models.learner import Learner
from fewshot.tasks.episode import Episode

MOST = 100  # support examples of a task that are left out in turn


def influence(
    model: Learner, algorithm: Algorithm, result: TaskResult, settings: Evaluation
) -> dict[int, Floats]:
    """By number of a support example, what leaving it out does to the log probabilities of right classes.

    An example that is the only one of its class cannot be left out; nor is anything where the support set
    has more than 100. Augmented copies of an example stay where they are.

    Args:
        model: the learner, prepared by the algorithm.
        algorithm: how the task is learned.
        result: the task, learned from all of its examples.
        settings: how many are adapted at once.

    Returns:
        Nats by query, (Q,) each: below 0 where the example helped.
    """
    left_out = removable(result.episode)
    if not left_out:
        return {}
    episodes = (without(result.episode, number) for number in left_out)
    asked = replace(settings, episodes=len(left_out), curve=False)
    full = result.answers.log_right[-1].astype(np.float64)
    found = scored(model, algorithm, episodes, asked)
    return {number: each.answers.log_right[-1] - full for number, each in zip(left_out, found, strict=True)}


def removable(episode: Episode) -> list[int]:
    """The support examples that can be left out, by number."""
    if len(episode.support) > MOST:
        return []
    if not episode.classes:  # answers are written
        return list(range(len(episode.support))) if len(episode.support) > 1 else []
    counts = Counter(example.label for example in episode.support)
    return [number for number, example in enumerate(episode.support) if counts[example.label] > 1]


def without(episode: Episode, number: int) -> Episode:
    """The episode without this support example."""
    return replace(episode, support=episode.support[:number] + episode.support[number + 1 :])


def means(by_example: dict[int, Floats], support: int) -> Iterator[float | None]:
    """The mean over the queries for each of `support` examples; None for those that were not left out."""
    for number in range(support):
        yield float(np.mean(by_example[number])) if number in by_example else None

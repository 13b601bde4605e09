"""Answers that are texts: what was written, and its scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fewshot.metrics.answers import Floats
from fewshot.metrics.generation import GenerationScores, Overlap, generation_scores, mean_overlap
from fewshot.models.batch import TaskBatch
from fewshot.tasks.episode import Episode


@dataclass(frozen=True)
class Written:
    """What was written to a task's queries.

    Args:
        outputs: the texts after adaptation, in the order of the queries.
        scores: of them.
        before: of what was written before adaptation.
    """

    outputs: tuple[str, ...]
    scores: GenerationScores
    before: GenerationScores


def by_task(texts: Sequence[str], query: TaskBatch) -> list[list[str]]:
    """Texts of rows as lists, one a task."""
    found: list[list[str]] = [[] for _ in query.ways]
    for text, task in zip(texts, query.task.tolist(), strict=True):
        found[task].append(text)
    return found


def written(outputs: Sequence[str], before: Sequence[str], episode: Episode) -> Written:
    """The outputs of one task, scored, with those before adaptation."""
    references = [[example.label] for example in episode.query]
    after = generation_scores(outputs, references)
    # what does not adapt has the same ones
    return Written(
        tuple(outputs), after, after if before is outputs else generation_scores(before, references)
    )


def word_scores(outputs: Sequence[Sequence[Sequence[str]]], drawn: Sequence[Episode]) -> dict[str, Floats]:
    """Precision, recall and F1 of the words at every moment, (S, T) each; nothing where none are written."""
    right = [[example.label for example in episode.query] for episode in drawn]
    moments = [[mean_overlap(*pair) for pair in zip(texts, right, strict=True)] for texts in outputs]
    return {
        name: np.array([[getattr(each, name) for each in tasks] for tasks in moments])
        for name in Overlap._fields
        if moments
    }

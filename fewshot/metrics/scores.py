"""The scores of every task at every moment of the inner loop, all tasks at once.

scikit-learn defines them, and the tests compare with it; calling it once a task takes minutes for 10,000
tasks, so the counts are taken here for all of them together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from fewshot.metrics.answers import Answers, Floats, Integers
from fewshot.metrics.calibration import calibration_errors

SCORES = ("accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Scores:
    """Scores of one task, fractions from 0 to 1 but for the log loss, which is in nats.

    Precision, recall and F1 are macro averages over the classes of the task, where a class without
    predictions or queries counts as 0. Micro-averaged they are all the same number, `f1_micro`, which is the
    accuracy, since a query has one class and gets one answer. The balanced accuracy is the mean recall of
    the classes that have queries. `ece` is the expected calibration error, see `calibration`.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    balanced_accuracy: float
    f1_micro: float
    log_loss: float
    ece: float


FURTHER = tuple(field.name for field in fields(Scores))[len(SCORES) :]


@dataclass(frozen=True)
class ClassScores:
    """Scores of the classes of T tasks, each (T, max way); what a task has no class for is 0.

    Args:
        queries: queries of the class.
        predicted: queries that were answered by it.
        precision: the share of those that were right; 0 without one.
        recall: the share of its queries that were answered right; 0 without one.
        f1: harmonic mean of the two.
    """

    queries: Integers
    predicted: Integers
    precision: Floats
    recall: Floats
    f1: Floats


def scores(answers: Answers) -> dict[str, Floats]:
    """Every field of `Scores`, by name, for all tasks at all moments: (S, T) each."""
    moments = [_moment(answers, moment) for moment in range(len(answers.steps))]
    return {name: np.stack([each[name] for each in moments]) for name in moments[0]}


def _moment(answers: Answers, moment: int) -> dict[str, Floats]:
    found = class_scores(answers, moment)
    rows = found.queries.sum(1)
    accuracy = _by_task(answers, answers.right[moment]) / rows
    return {
        "accuracy": accuracy,
        "precision": found.precision.sum(1) / answers.ways,
        "recall": found.recall.sum(1) / answers.ways,
        "f1": found.f1.sum(1) / answers.ways,
        "balanced_accuracy": found.recall.sum(1) / (found.queries > 0).sum(1),
        "f1_micro": accuracy,
        "log_loss": -_by_task(answers, answers.log_right[moment]) / rows,
        "ece": calibration_errors(answers, moment),
    }


def class_scores(answers: Answers, moment: int = -1) -> ClassScores:
    """Precision, recall and F1 of every class of every task.

    Args:
        answers: of T tasks.
        moment: of the inner loop, as an index of `answers.steps`.
    """
    predicted = answers.predicted[moment]
    hits = _by_class(answers, answers.label, predicted == answers.label)
    queries, given = _by_class(answers, answers.label), _by_class(answers, predicted)
    return ClassScores(
        queries=queries,
        predicted=given,
        precision=_share(hits, given),
        recall=_share(hits, queries),
        f1=_share(2 * hits, queries + given),
    )


def confusion(answers: Answers, moment: int = -1) -> Integers:
    """How often each class was answered by each: (T, max way, max way), right classes in the rows."""
    width = int(answers.ways.max())
    cell = (answers.task * width + answers.label) * width + answers.predicted[moment]
    counts = np.bincount(cell, minlength=answers.tasks * width * width)
    return counts.reshape(answers.tasks, width, width)


def rejection_auroc(known: Sequence[float], strange: Sequence[float]) -> float:
    """The probability that a query of a class is surer than one of no class; ties count half.

    Args:
        known: how sure the model is of each query of a class.
        strange: likewise of each query from outside.
    """
    labels = [1] * len(known) + [0] * len(strange)
    sure = np.nan_to_num([*known, *strange])  # a task that diverged is not sure of anything
    return float(roc_auc_score(labels, sure))


def _by_task(answers: Answers, values: NDArray[np.generic]) -> Floats:
    """Sums over the queries of each task, (R,) to (T,)."""
    return np.bincount(answers.task, weights=values, minlength=answers.tasks).astype(np.float64)


def _by_class(answers: Answers, number: Integers, wanted: NDArray[np.bool_] | None = None) -> Integers:
    """How many queries of each task have each class number, (T, max way)."""
    width = int(answers.ways.max())
    slot = answers.task * width + number
    chosen = slot if wanted is None else slot[wanted]
    return np.bincount(chosen, minlength=answers.tasks * width).reshape(answers.tasks, width)


def _share(part: Integers, whole: Integers) -> Floats:
    return part / np.maximum(whole, 1)  # nothing of nothing is 0

"""Scores of one task and statistics over tasks; scikit-learn and SciPy compute them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score

SCORES = ("accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Scores:
    """Scores of one task, fractions from 0 to 1; all but accuracy are macro averages over its classes."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def task_scores(labels: Sequence[int], predicted: Sequence[int], way: int) -> Scores:
    """Accuracy and macro precision, recall and F1; a class without predictions counts as 0.

    Args:
        labels: true class numbers, from 0 to way - 1.
        predicted: predicted class numbers.
        way: classes of the task.
    """
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=range(way), average="macro", zero_division=0
    )
    return Scores(float(accuracy_score(labels, predicted)), float(precision), float(recall), float(f1))


def rejection_auroc(known: Sequence[float], strange: Sequence[float]) -> float:
    """The probability that a query of a class is surer than one of no class; ties count half.

    Args:
        known: how sure the model is of each query of a class.
        strange: likewise of each query from outside.
    """
    labels = [1] * len(known) + [0] * len(strange)
    sure = np.nan_to_num([*known, *strange])  # a task that diverged is not sure of anything
    return float(roc_auc_score(labels, sure))


def mean_interval(values: Sequence[float]) -> tuple[float, float, float, float]:
    """Mean, standard deviation (n - 1) and 95% Student interval (low, high) of values over tasks.

    With one value the deviation is 0 and the interval is the value: nothing is known of its spread.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, 0.0, mean, mean
    std = float(np.std(values, ddof=1))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * std / math.sqrt(len(values))
    return mean, std, mean - half, mean + half


def over_tasks(values: Sequence[float]) -> dict[str, float | list[float]]:
    """Mean, std, 95% interval and the mean of the worst tenth of the tasks, as `summary.json` has them."""
    mean, std, low, high = mean_interval(values)
    worst = sorted(values)[: max(1, round(len(values) / 10))]
    return {"mean": mean, "std": std, "ci95": [low, high], "worst_decile": float(np.mean(worst))}

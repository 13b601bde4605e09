"""Statistics of a score over tasks."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats


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


def set_means(values: Sequence[float], repeats: int) -> list[float]:
    """The mean of every `repeats` values in a row: draws from the same classes are not independent."""
    return [float(mean) for mean in np.asarray(values).reshape(-1, repeats).mean(1)]


def over_tasks(
    values: Sequence[float], lower_is_better: bool = False, repeats: int = 1
) -> dict[str, float | list[float]]:
    """Mean, std, 95% interval and the mean of the worst tenth of the tasks, as `summary.json` has them.

    Args:
        values: of a score, one a task.
        lower_is_better: the worst are the highest, as of a loss.
        repeats: tasks drawn from the same classes, which the interval counts as one.
    """
    mean, std, *_ = mean_interval(values)
    _, _, low, high = mean_interval(set_means(values, repeats))
    worst = sorted(values, reverse=lower_is_better)[: max(1, round(len(values) / 10))]
    return {"mean": mean, "std": std, "ci95": [low, high], "worst_decile": float(np.mean(worst))}

"""Intervals by resampling the tasks.

Efron: Bootstrap Methods: Another Look at the Jackknife, The Annals of Statistics 1979; SciPy computes it.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

RESAMPLES = 2000


def bootstrap_interval(values: Sequence[float], seed: int, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 95% percentile interval of the mean of values over tasks.

    Beside Student's it asks nothing of the distribution; for few and skewed values it is a little narrow.
    Of a single value, or of equal ones, it is the value.

    Args:
        values: of a score, one a task.
        seed: of the resampling.
        resamples: how often tasks are drawn with replacement.
    """
    if len(values) < 2:
        return float(values[0]), float(values[0])
    found = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        n_resamples=resamples,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)

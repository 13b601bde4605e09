"""Two methods on the same tasks: differences task by task, and whether they are more than chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import permutation_test

from fewshot.metrics.intervals import mean_interval

RESAMPLES = 9999


def paired(ours: Sequence[float], theirs: Sequence[float], seed: int) -> dict[str, Any]:
    """Statistics of the differences ours - theirs, one per task.

    Returns:
        `mean`, `std` (n - 1) and `ci95` (Student's) of the differences; `wins`, `ties` and `losses`, the
        tasks where ours is higher, equal and lower; `p` of a two-sided permutation test, which turns signs
        (E. S. Edgington and P. Onghena, Randomization Tests, 2007): all of them where there are at most
        10,000 ways, else 9,999 drawn ones, so that `p` is never below 0.0002.

    Args:
        ours: a score of each task.
        theirs: likewise, of the same tasks in the same order.
        seed: of the signs that are drawn.

    Raises:
        ValueError: one has more values than the other.
    """
    differences = np.array([a - b for a, b in zip(ours, theirs, strict=True)])
    mean, std, low, high = mean_interval(differences.tolist())
    return {
        "mean": mean,
        "std": std,
        "ci95": [low, high],
        "wins": int((differences > 0).sum()),
        "ties": int((differences == 0).sum()),
        "losses": int((differences < 0).sum()),
        "p": _p(differences, seed),
    }


def holm(values: Sequence[float]) -> list[float]:
    """P values corrected for their number, so that a false one among all stays as rare as it would be alone.

    S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    order = np.argsort(values)
    scaled = np.asarray(values)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return [float(value) for value in adjusted]


def corrected(rows: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The rows of `paired`, by method and score, with `p_holm`: over the methods that have the score."""
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in rows}
    for score in dict.fromkeys(score for own in rows.values() for score in own):
        having = [name for name, own in rows.items() if score in own]
        values = holm([rows[name][score]["p"] for name in having])
        for name, value in zip(having, values, strict=True):
            found[name][score] = rows[name][score] | {"p_holm": value}
    return found


def _p(differences: np.ndarray[Any, np.dtype[np.float64]], seed: int) -> float:
    # a tie is a tie whatever its sign: the others decide
    moved = differences[differences != 0]
    if len(moved) < 2:  # either sign of one is as extreme, and SciPy asks for two
        return 1.0
    test = permutation_test(
        (moved,),
        lambda values, axis: values.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)

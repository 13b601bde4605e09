"""Where the spread of the accuracy over episodes comes from.

Searle, Casella, McCulloch: Variance Components, 1992, chapter 3: one way, random, unequal group sizes, by the
method of moments. An episode is a set of classes s and a draw d of support and query examples from it,

    accuracy(s, d) = mu + class(s) + support(s, d) + query(s, d)

The mean square between sets of classes and that within them give the variance of class(s) and that of the
other two together. The last is what finitely many queries add: if q answers are right or wrong independently
of each other, accuracy (1 - accuracy) / (q - 1) is an unbiased estimate of it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from fewshot.metrics.answers import Floats, Integers

FEWEST = 20  # further draws of sets that were drawn already: with fewer the estimate is noise


@dataclass(frozen=True)
class VarianceSplit:
    """Variances of the accuracy of an episode; an estimate below 0 is given as 0.

    Args:
        sets: sets of classes.
        repeats: episodes of a set, on average.
        classes: by the choice of the classes.
        support: by the choice of their support examples, and of which queries are asked beyond chance.
        queries: by the chance of finitely many queries.
    """

    sets: int
    repeats: float
    classes: float
    support: float
    queries: float


def variance_split(accuracy: Floats, queries: Integers, sets: Sequence[Hashable]) -> VarianceSplit | None:
    """Splits the variance of the accuracy.

    Args:
        accuracy: of each episode, (T,).
        queries: query examples of each, (T,).
        sets: what the classes of each are.

    Returns:
        None where it cannot be told: fewer than 20 episodes have classes that another one had before, all
        have the same, or one has a single query.
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(sets))}
    group = np.array([names[name] for name in sets])
    if len(names) < 2 or len(group) - len(names) < FEWEST or queries.min() < 2:
        return None
    between, within = _components(accuracy, group)
    chance = float(np.mean(accuracy * (1 - accuracy) / (queries - 1)))
    return VarianceSplit(
        sets=len(names),
        repeats=len(group) / len(names),
        classes=max(0.0, between),
        support=max(0.0, within - chance),
        queries=min(chance, within),
    )


def _components(values: Floats, group: Integers) -> tuple[float, float]:
    """The variance between groups and that within them, neither cut at 0."""
    sizes = np.bincount(group)
    means = np.bincount(group, weights=values) / sizes
    count, groups = len(values), len(sizes)
    within = float(((values - means[group]) ** 2).sum() / (count - groups))
    square = float((sizes * (means - values.mean()) ** 2).sum() / (groups - 1))
    size = (count - (sizes**2).sum() / count) / (groups - 1)
    return (square - within) / size, within

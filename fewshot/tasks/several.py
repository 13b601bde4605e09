"""Episodes of several families: one is drawn, then its episode."""

from collections.abc import Mapping, Sequence

import numpy as np

from fewshot.data.pool import Pool
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily


class Several(TaskFamily):
    """Draws one of several families, each with its probability, then an episode of it.

    Args:
        families: at least one.
        weights: how often each is drawn, in any unit; by default all alike.

    Raises:
        InputError: no family, or weights that are none.
    """

    def __init__(self, families: Sequence[TaskFamily], weights: Sequence[float] | None = None) -> None:
        values = np.asarray([1.0] * len(families) if weights is None else weights, dtype=float)
        if not families or len(values) != len(families):
            raise InputError(
                "every family needs a weight",
                where="weights",
                got=f"{len(values)} weights for {len(families)} families",
                needed="one for each, and at least one family",
            )
        if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
            raise InputError(
                "the weights are no shares",
                where="weights",
                got=", ".join(f"{value:g}" for value in values),
                needed="numbers from 0 up, not all of them 0",
            )
        self._families, self._edges = tuple(families), np.cumsum(values / values.sum())

    def classes(self) -> Mapping[str, Sequence[str]]:
        """Those of all families."""
        return {source: names for family in self._families for source, names in family.classes().items()}

    def pools(self) -> Sequence[Pool]:
        """Those of all families."""
        return tuple(pool for family in self._families for pool in family.pools())

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """An episode of the family that is drawn."""
        drawn = int(np.searchsorted(self._edges, generator.random(), side="right"))
        return self._families[min(drawn, len(self._families) - 1)].episode(index, generator)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        """Of the family that the episode is from."""
        own = [family for family in self._families if episode.source in family.classes()]
        return own[0].again(episode, generator) if own else super().again(episode, generator)

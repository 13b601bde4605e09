"""A family that has another family for each side: what most families are outside."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.pool import Pool
from fewshot.data.split import Side
from fewshot.errors import InputError
from fewshot.tasks.augmented import Augmented
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily


class Sided(TaskFamily):
    """Gives out the family of each side.

    Args:
        sides: the family of each side that there is.
        where: what to call the data in messages.
        augmentation: of support sets.
        read: constructor argument -> the pool, or the pools, of the source that it names.
    """

    def __init__(
        self,
        sides: Mapping[Side, TaskFamily],
        where: str,
        augmentation: Augmentation = Augmentation(),
        read: Mapping[str, Pool | Sequence[Pool]] = MappingProxyType({}),
    ) -> None:
        self._where, self._read = where, read
        self._sides = {
            side: Augmented(family, augmentation)
            if augmentation.copies and (side == "train" or augmentation.sides == "all")
            else family
            for side, family in sides.items()
        }

    def split(self, side: Side) -> TaskFamily:
        """The episodes of one side.

        Raises:
            InputError: a side that there is not.
        """
        if side not in self._sides:
            raise InputError(
                f"the split has no {side} classes",
                where=f"split of {self._where}",
                got=f"classes for {', '.join(self._sides)} only",
                needed=f"classes for {side}",
                fix="name them (split.lists) or draw them (split.fractions)",
            )
        return self._sides[side]

    def resolved(self) -> Mapping[str, Any]:
        """The sources with the commits that were read."""
        return {
            name: pools.origin.pinned if isinstance(pools, Pool) else [pool.origin.pinned for pool in pools]
            for name, pools in self._read.items()
        }

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """An episode of the meta-training side."""
        return self.split("train").episode(index, generator)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        """Of the meta-training side too."""
        return self.split("train").again(episode, generator)

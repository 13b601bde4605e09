"""Any family with augmented support sets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.pool import Pool
from fewshot.data.split import Side
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily


class Augmented(TaskFamily):
    """The episodes of another family, with changed copies of their support examples.

    Args:
        family: whose episodes they are; on every side.
        augmentation: what is made from the support examples.
    """

    def __init__(self, family: TaskFamily, augmentation: Augmentation) -> None:
        self._family, self._augmentation = family, augmentation
        self.differs = family.differs

    def split(self, side: Side) -> "Augmented":
        """The augmented episodes of one side."""
        return Augmented(self._family.split(side), self._augmentation)

    def classes(self) -> Mapping[str, Sequence[str]]:
        """Those of the family."""
        return self._family.classes()

    def answers(self) -> Iterable[str]:
        """Those of the family."""
        return self._family.answers()

    def pools(self) -> Sequence[Pool]:
        """Those of the family."""
        return self._family.pools()

    def resolved(self) -> Mapping[str, Any]:
        """Those of the family."""
        return self._family.resolved()

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """The family's episode; its query set and its support set are as they were."""
        return self._augmented(self._family.episode(index, generator), generator)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        """The family's, augmented too."""
        return self._augmented(self._family.again(episode, generator), generator)

    def _augmented(self, drawn: Episode, generator: np.random.Generator) -> Episode:
        known = {example.text for example in drawn.support + drawn.query + drawn.outside}
        made = [copy for e in drawn.support for copy in self._augmentation.copies_of(e, generator)]
        return replace(drawn, augmented=tuple(e for e in dict.fromkeys(made) if e.text not in known))

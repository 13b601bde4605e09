"""What is searched, how, and until when."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fewshot.search.settings import Search
from fewshot.search.space import Space


@dataclass(frozen=True)
class Plan:
    """What is searched.

    Args:
        base: the default configuration, in the form of `config.yaml`.
        space: what varies.
        settings: how, and until when.
        points: of a grid, by slot after the first; None where values are drawn.
    """

    base: Mapping[str, Any]
    space: Space
    settings: Search
    points: tuple[Mapping[str, Any], ...] | None = None

    @property
    def count(self) -> int | None:
        """Trials, the default among them; None where the target or the budget ends the search."""
        return self.settings.most_trials() if self.points is None else 1 + len(self.points)

    @property
    def steps(self) -> int:
        """Outer steps of the default training."""
        return int(self.base["training"].get("steps", 0))

    def fixed(self, slot: int) -> Mapping[str, Any]:
        """The values of a slot that are not drawn: the default configuration's, or a point of the grid."""
        if slot == 0:
            return self.space.default(self.base) or {}
        return {} if self.points is None else self.points[slot - 1]

"""Views: texts with several labels, of which an episode asks for one, and only the support set tells which.

The counterpart of the attribute tasks in real text: a review has a sentiment and a product, a question a
coarse type and a fine one.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit, Side, split_classes
from fewshot.errors import InputError, listing
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sampler import draw_filled, shuffled
from fewshot.tasks.sided import Sided


class Views(Sided):
    """An episode draws a view and N of its values; the examples of a value are spread over the other view's.

    Args:
        source: as for NWayKShot.
        view: the column with the other label of a text.
        split_by: whose values are disjoint between the sides: 'view', or 'label'.
        way: classes in an episode (N), of either view.
        shot: support examples a class (K).
        queries: query examples a class (Q).
        columns: which columns hold text and label.
        split: which values of `split_by` are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned; `before` cuts 'books.t2' to 'books'.
        augmentation: of support sets.

    Raises:
        InputError: a side where a view has fewer than N values with K + Q examples.
    """

    def __init__(
        self,
        source: Given,
        view: str,
        split_by: str = "view",
        way: int = 2,
        shot: int = 5,
        queries: int = 5,
        columns: Columns = Columns(),
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        if split_by not in ("view", "label"):
            raise InputError(
                "unknown setting", where="family.split_by", got=split_by, needed="'view' or 'label'"
            )
        self._pool = Pool.load(source, columns, reading, also=[view])
        pool, parts = self._pool, self._pool.parts(view)
        names = sorted(parts) if split_by == "view" else pool.classes
        chosen = split_classes(split, names, None, pool.name)
        label = columns.label or "label"
        sides: dict[Side, TaskFamily] = {}
        for side, own in chosen.items():
            if own:
                values = own if split_by == "view" else tuple(parts)
                cells = {value: parts[value] for value in values if value in parts}
                if split_by == "label":
                    cells = {v: part.only([c for c in part.classes if c in own]) for v, part in cells.items()}
                name = f"{pool.name} ({side})"
                sides[side] = _ViewTasks(cells, (label, view), name, (way, shot, queries))
        super().__init__(sides, pool.name, augmentation, {"source": self._pool})
        self.differs = "rows"  # the values of one view are the same on all sides


Cell = tuple[Pool, str]  # the rows of one value of the view and one label


class _ViewTasks(TaskFamily):
    def __init__(
        self, cells: Mapping[str, Pool], views: tuple[str, str], name: str, counts: tuple[int, int, int]
    ) -> None:
        self._pools, self._name, (self._way, self._shot, self._queries) = list(cells.values()), name, counts
        by_label: dict[str, list[Cell]] = {}
        by_value: dict[str, list[Cell]] = {}
        for value, pool in cells.items():
            for label in pool.classes:
                by_label.setdefault(label, []).append((pool, label))
                by_value.setdefault(value, []).append((pool, label))
        needed = self._shot + self._queries
        self._views: dict[str, dict[str, list[Cell]]] = {}
        for view, found in zip(views, (by_label, by_value), strict=True):
            large = {k: own for k, own in found.items() if sum(p.size(c) for p, c in own) >= needed}
            if self._way < 2 or len(large) < self._way:
                raise InputError(
                    f"the view {view!r} has too few values",
                    where=name,
                    got=listing(large) or "none",
                    needed=f"way {self._way} (at least 2) with {needed} examples each",
                    fix="lower way, shot or queries, or give this side more values",
                )
            self._views[view] = large

    def classes(self) -> Mapping[str, Sequence[str]]:
        return {f"{self._name}/{view}": tuple(values) for view, values in self._views.items()}

    def pools(self) -> Sequence[Pool]:
        return self._pools

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        view = list(self._views)[generator.integers(len(self._views))]
        cells = self._views[view]

        def draw(name: str, seen: set[str]) -> list[Example] | None:
            return self._drawn(cells[name], name, seen, generator)

        found = draw_filled(list(cells), self._way, draw, generator, self._name)
        support = [example for own in found.values() for example in own[: self._shot]]
        query = [example for own in found.values() for example in own[self._shot :]]
        source = f"{self._name}/{view}"
        return Episode(shuffled(support, generator), shuffled(query, generator), tuple(found), source)

    def _drawn(
        self, cells: Sequence[Cell], name: str, seen: set[str], generator: np.random.Generator
    ) -> list[Example] | None:
        """K + Q examples with texts new to the episode, of each cell in turn; None where it has too few."""
        orders = [list(generator.permutation(pool.size(label))) for pool, label in cells]
        turns = [int(n) for n in generator.permutation(len(cells))]
        needed = self._shot + self._queries
        picked: dict[str, Example] = {}
        while len(picked) < needed and any(orders):
            for n in turns:
                if orders[n] and len(picked) < needed:
                    pool, label = cells[n]
                    (example,) = pool.examples(label, [orders[n].pop()])
                    if example.text not in seen:  # one text may have several labels
                        picked.setdefault(example.text, Example(example.text, name, example.text_pair))
        if len(picked) < needed:
            return None
        seen |= picked.keys()
        return list(picked.values())

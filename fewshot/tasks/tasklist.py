"""Tasks that a column of the data names: which side each is on, and the tasks as families."""

from collections.abc import Mapping, Sequence

import numpy as np

from fewshot.data.pool import Pool
from fewshot.data.split import SIDES, ClassSplit, Side, split_classes
from fewshot.errors import InputError, suggestion
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sampler import draw_classes, shuffled


def split_tasks(split: ClassSplit, tasks: Sequence[str], source: str) -> dict[Side, tuple[str, ...]]:
    """The tasks of each side that has some.

    Raises:
        InputError: see `split_classes`; a task that the data does not have.
    """
    chosen, known = split_classes(split, tasks, None, source), set(tasks)
    for side in SIDES:
        absent = [task for task in chosen[side] if task not in known]
        if absent:
            raise InputError(
                f"the {side} tasks name {absent[0]!r}, which the data does not have",
                where=source,
                needed=f"some of its {len(tasks)} tasks",
                fix=suggestion(absent[0], tasks),
            )
    return {side: chosen[side] for side in SIDES if chosen[side]}


class FixedTask(TaskFamily):
    """One task: all classes of a pool, its support and query examples from two sets of rows or from one.

    Args:
        pool: the support rows.
        queried: the query rows, with the same classes; None where both are drawn from `pool`.
        shot: support examples a class (K).
        queries: query examples a class (Q).

    Raises:
        InputError: a class with too few examples, a single class.
    """

    def __init__(self, pool: Pool, queried: Pool | None, shot: int, queries: int) -> None:
        for name, value in (("shot", shot), ("queries", queries)):
            if value < 1:
                raise InputError(f"{name} is too small", where="family", got=value, needed="at least 1")
        pool = pool.once() if queried is None else pool  # rows of two parts may have the same text
        self._pool, self._queried, self._shot, self._queries = pool, queried, shot, queries
        _check_counts(pool, shot if queried else shot + queries)
        if queried:
            _check_counts(queried.only(pool.classes), queries)

    def classes(self) -> Mapping[str, Sequence[str]]:
        """The classes of the task."""
        return {self._pool.name: self._pool.classes}

    def pools(self) -> Sequence[Pool]:
        """Support and query rows."""
        return (self._pool, self._queried) if self._queried else (self._pool,)

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """An episode of the task; a query text that stands in the support set is drawn again."""
        pool, queried = self._pool, self._queried
        shots = [self._shot] * len(pool.classes)
        asked = self._queries if queried is None else 0
        support, query = draw_classes(pool, pool.classes, shots, asked, generator)
        for label in pool.classes if queried is not None else ():
            assert queried is not None
            order = generator.permutation(queried.size(label))[: self._queries + self._shot]
            fresh = [example for example in queried.examples(label, order) if example not in support]
            query += fresh[: self._queries]
        return Episode(shuffled(support, generator), shuffled(query, generator), pool.classes, pool.name)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        """The task has no other classes."""
        return self.episode(0, generator)


def _check_counts(pool: Pool, needed: int) -> None:
    if len(pool.classes) < 2:
        raise InputError(
            "a task has a single class", where=pool.name, got=", ".join(pool.classes), needed="two or more"
        )
    short = {label: pool.size(label) for label in pool.classes if pool.size(label) < needed}
    if short:
        label, size = next(iter(short.items()))
        raise InputError(
            f"{len(short)} of {len(pool.classes)} classes have too few examples",
            where=pool.name,
            got=f"{label}: {size}",
            needed=f"{needed} in each class",
            fix="lower shot or queries, or leave this task out of the split",
        )

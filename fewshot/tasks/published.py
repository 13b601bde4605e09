"""Published support sets, each an episode of its own.

LEOPARD: Bansal, Jha, McCallum: Learning to Few-Shot Learn Across Diverse Natural Language Classification
Tasks,
COLING 2020, https://arxiv.org/abs/1911.03863: for every task ten training sets of 4, 8 and 16 examples a
class, and one evaluation set.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.find import Columns, folder_of
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit, Side, from_splits
from fewshot.errors import InputError, listing
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sampler import shuffled
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import split_tasks

SWAPPED = "label_names_swapped"  # in splits.json: tasks of two classes that carry each other's names


class PublishedEpisodes(Sided):
    """Episode i is published: task i modulo the tasks, then the next support set of each.

    Queries are drawn from the evaluation rows; a task that has too few of them is asked about rows of its
    other support sets. Classes that the source says are named the wrong way round are turned.

    Args:
        source: as for NWayKShot.
        shots: which support sets, by examples a class: 4, 8 or 16 in LEOPARD.
        queries: query examples a class (Q).
        columns: which columns hold text and label.
        task: the column that names the task.
        number: the column that numbers the support sets of a task.
        size: the column with their examples a class.
        split: which tasks are for meta-training, validation and test; by default all are for the test.
        reading: which rows are read, and how they are cleaned; `only` chooses tasks.
        augmentation: of support sets.

    Raises:
        InputError: no support set of that size, a task with too few rows to ask about.
    """

    differs = "tasks"

    def __init__(
        self,
        source: Given,
        shots: int = 4,
        queries: int = 10,
        columns: Columns = Columns(),
        task: str = "task",
        number: str = "episode",
        size: str = "shots",
        split: ClassSplit = ClassSplit(fractions=(0.0, 0.0, 1.0)),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        self._pool = Pool.load(source, columns, reading, also=[task, number, size])
        name, swapped = self._pool.name, _swapped(source)
        tasks = {
            each: _sets(pool.renamed(f"{name}/{each}"), shots, queries, number, size, each in swapped)
            for each, pool in self._pool.parts(task).items()
        }
        sides: dict[Side, TaskFamily] = {
            side: _InTurn([tasks[each] for each in names])
            for side, names in split_tasks(split, sorted(tasks), name).items()
        }
        super().__init__(sides, name, augmentation, {"source": self._pool})


class _Sets(TaskFamily):
    """The published episodes of one task."""

    def __init__(self, supports: Sequence[Pool], asked: Pool, queries: int, swaps: bool) -> None:
        self._supports, self._asked, self._queries = supports, asked, queries
        labels = asked.classes
        self._names = dict(zip(labels, reversed(labels) if swaps else labels, strict=True))

    def classes(self) -> Mapping[str, Sequence[str]]:
        return {self._asked.name: tuple(sorted(self._names.values()))}

    def pools(self) -> Sequence[Pool]:
        return (*self._supports, self._asked)

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        pool = self._supports[index % len(self._supports)]
        support = [e for label in pool.classes for e in pool.all_of(label)]
        known = {example.text for example in support}
        query: list[Example] = []
        for label in pool.classes:
            order = generator.permutation(self._asked.size(label))[: self._queries + len(support)]
            fresh = [e for e in self._asked.examples(label, order) if e.text not in known]
            query += fresh[: self._queries]
        return Episode(
            shuffled([self._named(e) for e in support], generator),
            shuffled([self._named(e) for e in query], generator),
            tuple(sorted(self._names.values())),
            pool.name,
        )

    def _named(self, example: Example) -> Example:
        return example._replace(label=self._names[example.label])

    def __len__(self) -> int:
        return len(self._supports)


class _InTurn(TaskFamily):
    """Episodes of several tasks in turn."""

    def __init__(self, tasks: Sequence[_Sets]) -> None:
        self._tasks = tasks

    def classes(self) -> Mapping[str, Sequence[str]]:
        return {source: names for task in self._tasks for source, names in task.classes().items()}

    def pools(self) -> Sequence[Pool]:
        return tuple(pool for task in self._tasks for pool in task.pools())

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        task = self._tasks[index % len(self._tasks)]
        return task.episode(index // len(self._tasks), generator)


def _sets(pool: Pool, shots: int, queries: int, by: str, size: str, swaps: bool) -> _Sets:
    """The support sets of a task that have all its classes, and the rows that it can be asked about."""
    sized = pool.parts(size)
    if str(shots) not in sized:
        raise InputError(
            f"there are no support sets of {shots} examples a class",
            where=pool.name,
            got=f"shots {shots}",
            needed=f"one of {listing(sorted(sized))}" if sized else "a task with support sets",
        )
    found = sized[str(shots)].parts(by)
    supports = [
        one.renamed(pool.name) for _, one in sorted(found.items()) if set(one.classes) == set(pool.classes)
    ]
    published = pool.missing(size)
    enough = set(published.classes) == set(pool.classes) and min(map(published.size, pool.classes)) >= queries
    asked = (published if enough else pool).renamed(pool.name).only(pool.classes).once()
    short = [label for label in asked.classes if asked.size(label) < queries + (0 if enough else shots)]
    if short or not supports:
        raise InputError(
            "the task cannot be drawn",
            where=pool.name,
            got=f"too few rows of {listing(short)}" if short else "no support set with all classes",
            needed=f"{queries} rows of each class to ask about",
            fix="lower queries, or leave the task out by reading.only",
        )
    return _Sets(supports, asked, queries, swaps)


def _swapped(source: Given) -> Sequence[str]:
    def tasks(content: Any) -> list[str]:
        return list(map(str, content.get(SWAPPED, ())))

    return from_splits(folder_of(source), tasks, f'{{"{SWAPPED}": ["task", ...]}}') or ()

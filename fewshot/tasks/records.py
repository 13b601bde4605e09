"""Records of input and output: tasks whose answers are texts to be written.

Every task of the data is a task here: translation between two languages, one inflection, one relation.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit, Side
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import split_tasks

RECORDS = Columns(text="input", text_pair="output", label="task")


class Records(Sided):
    """K support and Q query records of one task; `label` is the output, and there are no classes.

    Args:
        source: as for NWayKShot.
        shot: support records of an episode (K).
        queries: query records of an episode (Q).
        columns: which columns hold the input (`text`), the output (`text_pair`) and the task (`label`).
        split: which tasks are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of the inputs of support sets.

    Raises:
        InputError: a task with fewer than K + Q records.
    """

    writes = True
    differs = "tasks"

    def __init__(
        self,
        source: Given,
        shot: int = 5,
        queries: int = 10,
        columns: Columns = RECORDS,
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        self._pool = load_records(source, columns, reading)
        pool = self._pool
        sides: dict[Side, TaskFamily] = {
            side: RecordTasks(pool.only(tasks), shot, queries)
            for side, tasks in split_tasks(split, pool.classes, pool.name).items()
        }
        super().__init__(sides, pool.name, augmentation, {"source": self._pool})


class RecordTasks(TaskFamily):
    """Records of one task, drawn."""

    def __init__(self, pool: Pool, shot: int, queries: int) -> None:
        self._pool, self._shot, self._queries = pool, shot, queries
        check_records(pool, shot, queries, shot + queries)

    def pools(self) -> Sequence[Pool]:
        """One a task."""
        return pools_by_task(self._pool)

    def answers(self) -> Iterable[str]:
        """The outputs."""
        return answers_of(self._pool)

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """Records of a task."""
        return self._of(*draw_records(self._pool, self._shot + self._queries, generator))

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        """Of the same task."""
        own = self._pool.only([episode.source.removeprefix(f"{self._pool.name}/")])
        return self._of(*draw_records(own, self._shot + self._queries, generator))

    def _of(self, task: str, drawn: Sequence[Example]) -> Episode:
        records = [Example(e.text, e.text_pair or "") for e in drawn]
        support, query = tuple(records[: self._shot]), tuple(records[self._shot :])
        return Episode(support, query, (), f"{self._pool.name}/{task}")


def draw_records(pool: Pool, count: int, generator: np.random.Generator) -> tuple[str, list[Example]]:
    """A task and so many of its records, their inputs all different."""
    task = pool.classes[generator.integers(len(pool.classes))]
    found: dict[str, Example] = {}
    for position in generator.permutation(pool.size(task)):
        (example,) = pool.examples(task, [position])
        found.setdefault(example.text, example)
        if len(found) == count:
            break
    return task, list(found.values())


def load_records(source: Given, columns: Columns, reading: Reading) -> Pool:
    """The pool of records, its classes the tasks.

    Raises:
        InputError: a column that is not named.
    """
    if columns.text_pair is None or columns.label is None:
        raise InputError(
            "records need an input, an output and a task",
            where="family.columns",
            got=f"text {columns.text}, text_pair {columns.text_pair}, label {columns.label}",
            needed="the columns of all three",
        )
    return Pool.load(source, columns, reading)


def answers_of(pool: Pool) -> Iterable[str]:
    """The outputs of all records, task by task."""
    return (example.text_pair or "" for task in pool.classes for example in pool.all_of(task))


def pools_by_task(pool: Pool) -> Sequence[Pool]:
    """A pool for each task."""
    return tuple(pool.only([task]).renamed(f"{pool.name}/{task}") for task in pool.classes)


def check_counts(shot: int, queries: int) -> None:
    """Refuses counts below 1.

    Raises:
        InputError: such a count.
    """
    for name, value in (("shot", shot), ("queries", queries)):
        if value < 1:
            raise InputError(f"family.{name} is too small", got=value, needed="1 or more")


def check_records(pool: Pool, shot: int, queries: int, needed: int) -> None:
    """Refuses counts below 1, and tasks with fewer records than are needed.

    Raises:
        InputError: either.
    """
    check_counts(shot, queries)
    for task in pool.classes:
        inputs = len({example.text for example in pool.all_of(task)})
        if inputs < needed:
            raise InputError(
                "a task has too few records",
                where=f"{pool.name}/{task}",
                got=f"{inputs} different inputs",
                needed=str(needed),
                fix="lower shot or queries, or leave the task out of the split",
            )

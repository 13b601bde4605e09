"""Records of input and output: tasks whose answers are texts to be written; and what a classifier can do.

Every task of the data is a task here: translation between two languages, one inflection, one relation.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit, Side
from fewshot.errors import InputError, require_at_least
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sampler import shuffled
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import split_tasks

MATCH, OTHER = "match", "other"
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
        self._pool = _load(source, columns, reading)
        pool = self._pool
        sides: dict[Side, TaskFamily] = {
            side: _RecordTasks(pool.only(tasks), shot, queries)
            for side, tasks in split_tasks(split, pool.classes, pool.name).items()
        }
        super().__init__(sides, pool.name, augmentation, {"source": self._pool})


class Matching(Sided):
    """Does this output belong to this input? A task of records for models that classify.

    Half of an episode's pairs are records of one task, the others have the output of another record of it.

    Args:
        source: as for NWayKShot.
        shot: support pairs of either class (K).
        queries: query pairs of either class (Q).
        columns: which columns hold the input (`text`), the output (`text_pair`) and the task (`label`).
        split: which tasks are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of the inputs of support sets.

    Raises:
        InputError: a task with fewer than 2K + 2Q records, or with a single output.
    """

    differs = "tasks"

    def __init__(
        self,
        source: Given,
        shot: int = 5,
        queries: int = 5,
        columns: Columns = RECORDS,
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        self._pool = _load(source, columns, reading)
        pool = self._pool
        sides: dict[Side, TaskFamily] = {
            side: _MatchTasks(pool.only(tasks), shot, queries)
            for side, tasks in split_tasks(split, pool.classes, pool.name).items()
        }
        super().__init__(sides, pool.name, augmentation, {"source": self._pool})


class _RecordTasks(TaskFamily):
    """Records of one task, drawn."""

    def __init__(self, pool: Pool, shot: int, queries: int) -> None:
        require_at_least("family", _Counts(shot, queries), shot=1, queries=1)
        self._pool, self._shot, self._queries = pool, shot, queries
        _check_sizes(pool, shot + queries)

    def pools(self) -> Sequence[Pool]:
        return tuple(
            self._pool.only([task]).renamed(f"{self._pool.name}/{task}") for task in self._pool.classes
        )

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        task, drawn = draw_records(self._pool, self._shot + self._queries, generator)
        records = [Example(e.text, e.text_pair or "") for e in drawn]
        support, query = tuple(records[: self._shot]), tuple(records[self._shot :])
        return Episode(support, query, (), f"{self._pool.name}/{task}")


class _MatchTasks(TaskFamily):
    """Pairs of one task, half of them right."""

    def __init__(self, pool: Pool, shot: int, queries: int) -> None:
        require_at_least("family", _Counts(shot, queries), shot=1, queries=1)
        self._pool, self._shot, self._queries = pool, shot, queries
        _check_sizes(pool, 2 * (shot + queries))
        self._right = {task: _outputs(pool, task) for task in pool.classes}
        self._all = {task: sorted(set().union(*right.values())) for task, right in self._right.items()}
        for task, right in self._right.items():
            sated = next(
                (text for text, outputs in right.items() if len(outputs) == len(self._all[task])), None
            )
            if sated is not None:
                raise InputError(
                    "an input has no output that is wrong",
                    where=f"{pool.name}/{task}",
                    got=f"{sated[:60]!r}, which has all {len(self._all[task])} outputs of the task",
                    needed="an output of another record for every input",
                    fix="leave the task out of the split",
                )

    def classes(self) -> Mapping[str, Sequence[str]]:
        return {f"{self._pool.name}/{task}": (MATCH, OTHER) for task in self._pool.classes}

    def pools(self) -> Sequence[Pool]:
        return tuple(
            self._pool.only([task]).renamed(f"{self._pool.name}/{task}") for task in self._pool.classes
        )

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        half = self._shot + self._queries
        task, drawn = draw_records(self._pool, 2 * half, generator)
        right = [Example(e.text, MATCH, e.text_pair) for e in drawn[:half]]
        wrong = [Example(e.text, OTHER, self._other(task, e, generator)) for e in drawn[half:]]
        support = [*right[: self._shot], *wrong[: self._shot]]
        query = [*right[self._shot :], *wrong[self._shot :]]
        name = f"{self._pool.name}/{task}"
        return Episode(shuffled(support, generator), shuffled(query, generator), (MATCH, OTHER), name)

    def _other(self, task: str, record: Example, generator: np.random.Generator) -> str:
        """An output of the task that the input does not have in any record."""
        right, outputs = self._right[task][record.text], self._all[task]
        while (output := outputs[generator.integers(len(outputs))]) in right:
            pass
        return output


def _outputs(pool: Pool, task: str) -> dict[str, set[str]]:
    """Input -> its outputs, of which some have several."""
    found: dict[str, set[str]] = {}
    for example in pool.all_of(task):
        found.setdefault(example.text, set()).add(example.text_pair or "")
    return found


class _Counts:
    def __init__(self, shot: int, queries: int) -> None:
        self.shot, self.queries = shot, queries


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


def _load(source: Given, columns: Columns, reading: Reading) -> Pool:
    if columns.text_pair is None or columns.label is None:
        raise InputError(
            "records need an input, an output and a task",
            where="family.columns",
            got=f"text {columns.text}, text_pair {columns.text_pair}, label {columns.label}",
            needed="the columns of all three",
        )
    return Pool.load(source, columns, reading)


def _check_sizes(pool: Pool, needed: int) -> None:
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

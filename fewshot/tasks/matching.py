"""Does this output belong to this input? What a model that classifies can learn of records."""

from collections.abc import Mapping, Sequence

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
from fewshot.tasks.records import RECORDS, check_records, draw_records, load_records, pools_by_task
from fewshot.tasks.sampler import shuffled
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import split_tasks

MATCH, OTHER = "match", "other"


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
        self._pool = load_records(source, columns, reading)
        pool = self._pool
        sides: dict[Side, TaskFamily] = {
            side: _MatchTasks(pool.only(tasks), shot, queries)
            for side, tasks in split_tasks(split, pool.classes, pool.name).items()
        }
        super().__init__(sides, pool.name, augmentation, {"source": self._pool})


class _MatchTasks(TaskFamily):
    """Pairs of one task, half of them right."""

    def __init__(self, pool: Pool, shot: int, queries: int) -> None:
        self._pool, self._shot, self._queries = pool, shot, queries
        check_records(pool, shot, queries, 2 * (shot + queries))
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
        return pools_by_task(self._pool)

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

"""Pairs of texts: does the one entail the other, do they say the same?

The classes of such tasks are the same on every side, so the sides differ by the task or, where there is one
task alone, by the rows.
"""

from collections.abc import Mapping

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import SIDES, ClassSplit, Side
from fewshot.errors import InputError, listing
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.several import Several
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import FixedTask, split_tasks

NAMES: Mapping[str, Side] = {
    "train": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "eval": "test",
}


class TextPairs(Sided):
    """Every class of a pair task, K support and Q query pairs of each.

    Args:
        source: as for NWayKShot.
        shot: support pairs a class (K).
        queries: query pairs a class (Q).
        columns: which columns hold the texts and the label.
        task: a column that names the task: tasks are split by side. None where there is one task alone.
        rows: without tasks: the column that says which side a row is on (train, valid or dev, test or eval);
            where it has no validation rows, a fifth of the training rows are.
        split: which tasks are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets: of the first text of a pair.

    Raises:
        InputError: neither tasks nor rows to split by, a class with too few pairs.
    """

    def __init__(
        self,
        source: Given,
        shot: int = 5,
        queries: int = 5,
        columns: Columns = Columns(text="text_a", text_pair="text_b"),
        task: str | None = None,
        rows: str | None = "split",
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        if columns.text_pair is None or not (task or rows):
            raise InputError(
                "a pair family needs a second text, and what its sides differ by",
                where="family",
                got=f"columns.text_pair {columns.text_pair}, task {task}, rows {rows}",
                needed="columns.text_pair, and a column for task or rows",
            )
        by = task or rows
        assert by is not None
        self._pool = Pool.load(source, columns, reading, also=[by])
        name = self._pool.name
        if task:
            pools = {each: pool.renamed(f"{name}/{each}") for each, pool in self._pool.parts(task).items()}
            named = split_tasks(split, sorted(pools), name)
            parts = {side: [pools[each] for each in tasks] for side, tasks in named.items()}
        else:
            parts = {side: [pool] for side, pool in sides_by_rows(self._pool, by).items()}
        sides: dict[Side, TaskFamily] = {
            side: Several([FixedTask(pool, None, shot, queries) for pool in pools])
            for side, pools in parts.items()
        }
        super().__init__(sides, name, augmentation, {"source": self._pool})
        self.differs = "tasks" if task else "rows"


def sides_by_rows(pool: Pool, column: str, held_out: float = 0.2) -> dict[Side, Pool]:
    """The pool cut by a column that names sides; a share of the training rows where none are for validation.

    Raises:
        InputError: a value that names no side.
    """
    parts = pool.parts(column)
    strange = [value for value in parts if value not in NAMES]
    if strange:
        raise InputError(
            f"the column {column!r} does not say which side a row is on",
            where=pool.name,
            got=listing(map(repr, strange)),
            needed=f"some of {listing(NAMES)}",
            fix="name another column, or a column of tasks",
        )
    found: dict[Side, Pool] = {NAMES[value]: part for value, part in parts.items()}
    if len(found) < len(parts):
        raise InputError(
            f"the column {column!r} has two names for one side",
            where=pool.name,
            got=listing(map(repr, parts)),
            needed="one name for each side",
            fix="choose the rows by reading.only",
        )
    if "train" in found and "valid" not in found:
        found["train"], found["valid"] = found["train"].cut(1 - held_out, np.random.default_rng(0))
    return {side: found[side].renamed(pool.name) for side in SIDES if side in found}

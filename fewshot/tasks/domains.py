"""The same question in many domains: is this review of a book, a camera, a toy favourable?

ARSC, as published by Yu, Guo, Yi, Chang, Potdar, Cheng, Tesauro, Wang, Zhou: Diverse Few-Shot Text
Classification
with Multiple Metrics, NAACL 2018, https://arxiv.org/abs/1805.07513: 69 tasks of which 12 are held out, each
of these with a published support set (five examples a class) and its own test rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.find import Columns, folder_of
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit, Side, from_splits
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.several import Several
from fewshot.tasks.sided import Sided
from fewshot.tasks.tasklist import FixedTask, split_tasks

SUPPORT, QUERY = "train", "test"


class Domains(Sided):
    """Tasks with the same classes in different domains; the domains are split by side.

    On the test side support examples come from rows whose `rows` column says 'train', queries from those
    where it says 'test', as far as a task has both; elsewhere from all rows of a task.

    Args:
        source: as for NWayKShot; or several of them, joined by commas, each of which is one task.
        shot: support examples a class (K).
        queries: query examples a class (Q).
        columns: which columns hold text and label.
        task: the column that names the task, in a single source.
        rows: the column that tells published support rows from test rows; none where there is no such.
        split: which tasks are for meta-training, validation and test; by default the `task_split` of the
            source's `splits.json`, with `valid_tasks` of its training tasks for validation.
        valid_tasks: how many training tasks at least are held out for validation where none are published, in
            whole domains (what stands before the dot of a task's name).
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets.

    Raises:
        InputError: a task with too few examples, a split that names tasks that are not there.
    """

    differs = "tasks"

    def __init__(
        self,
        source: Given,
        shot: int = 5,
        queries: int = 5,
        columns: Columns = Columns(),
        task: str = "task",
        rows: str | None = "split",
        split: ClassSplit = ClassSplit(),
        valid_tasks: int = 8,
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        also = [rows] if rows else []
        self._pools: list[Pool] = []
        several = source.split(",") if isinstance(source, str) and "," in source else []
        if several:
            self._pools = [Pool.load(each.strip(), columns, reading, also) for each in several]
            pools = {pool.name: pool for pool in self._pools}
            name = ", ".join(pools)
        else:
            whole = Pool.load(source, columns, reading, also=[task, *also])
            self._pools, name = [whole], whole.name
            pools = {each: pool.renamed(f"{name}/{each}") for each, pool in whole.parts(task).items()}
            split = (_published(source, valid_tasks) or split) if split == ClassSplit() else split
        sides: dict[Side, TaskFamily] = {
            side: Several(
                [_task(pools[each], rows if side == "test" else None, shot, queries) for each in names]
            )
            for side, names in split_tasks(split, list(pools), name).items()
        }
        super().__init__(sides, name, augmentation)

    def resolved(self) -> Mapping[str, Any]:
        """The source, or the sources, with the commit that was read."""
        pinned = [pool.origin.pinned for pool in self._pools]
        return {"source": ",".join(pinned)}


def _task(pool: Pool, rows: str | None, shot: int, queries: int) -> FixedTask:
    parts = pool.parts(rows) if rows else {}
    support, query = parts.get(SUPPORT), parts.get(QUERY)
    if support is None or query is None or set(support.classes) != set(query.classes):
        return FixedTask(pool, None, shot, queries)
    return FixedTask(support.renamed(pool.name), query.renamed(pool.name), shot, queries)


def _published(source: Given, valid_tasks: int) -> ClassSplit | None:
    """The published tasks of the two sides, some of the training tasks held out for validation."""

    def tasks(content: Any) -> tuple[list[str], list[str]]:
        found = content.get("task_split", {"train": [], "test": []})
        return list(map(str, found["train"])), list(map(str, found["test"]))

    needed = '{"task_split": {"train": [...], "test": [...]}}'
    train, test = from_splits(folder_of(source), tasks, needed) or ([], [])
    if not train:
        return None
    held = _held_out(train, valid_tasks)
    lists = {"train": [name for name in train if name not in held], "valid": sorted(held), "test": test}
    return ClassSplit(lists=lists)


def _held_out(tasks: Sequence[str], least: int) -> set[str]:
    """Training tasks for validation, by whole domains: books.t2 and books.t4 ask about the same reviews."""
    domains: dict[str, list[str]] = {}
    for task in tasks:
        domains.setdefault(task.split(".")[0], []).append(task)
    held: list[str] = []
    for number in np.random.default_rng(0).permutation(len(domains))[:-1]:
        if len(held) < least:
            held += list(domains.values())[number]
    return set(held)

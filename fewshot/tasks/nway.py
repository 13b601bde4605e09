"""N-way K-shot classification on any labelled text."""

from pathlib import Path

import numpy as np

from fewshot.data.find import Columns, find_source
from fewshot.data.pool import Pool
from fewshot.data.split import SIDES, ClassSplit, Side, split_classes
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sampler import PoolTasks


class NWayKShot(TaskFamily):
    """Episodes of N classes with K support and Q query examples each; classes are split by side.

    Args:
        source: a jsonl, csv or parquet file, a folder, a name inside FEWSHOT_DATA, or a hub id.
        way: classes in an episode (N).
        shot: support examples a class (K).
        queries: query examples a class (Q).
        columns: which columns hold text and label.
        split: which classes are for meta-training, validation and test.

    Raises:
        InputError: anything that makes an episode impossible, before the first is drawn.
    """

    def __init__(
        self,
        source: str,
        way: int = 5,
        shot: int = 5,
        queries: int = 5,
        columns: Columns = Columns(),
        split: ClassSplit = ClassSplit(),
    ) -> None:
        pool = Pool.load(source, columns)
        path = find_source(source)
        folder = path if path and path.is_dir() else (path.parent if path else None)
        classes = split_classes(split, pool.classes, folder, Path(source).name)
        used = [side for side in SIDES if classes[side]]
        self._sides = {side: PoolTasks(pool.only(classes[side], side), way, shot, queries) for side in used}
        self._source = source

    def split(self, side: Side) -> TaskFamily:
        """The episodes over the classes of one side."""
        if side not in self._sides:
            raise InputError(
                f"the split has no {side} classes",
                where=f"split of {self._source}",
                got=f"classes for {', '.join(self._sides)} only",
                needed=f"classes for {side}",
                fix="name them (split.lists) or draw them (split.fractions)",
            )
        return self._sides[side]

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """An episode over the meta-training classes."""
        return self.split("train").episode(index, generator)

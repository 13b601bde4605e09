"""N-way K-shot classification on any labelled text.

Vinyals, Blundell, Lillicrap, Kavukcuoglu, Wierstra: Matching Networks for One Shot Learning, NeurIPS 2016,
https://arxiv.org/abs/1606.04080: an episode has N classes, K support and Q query examples of each, and the
classes of meta-training, validation and test are disjoint.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewshot.data.augment import Augmentation
from fewshot.data.find import Columns, folder_of
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import SIDES, ClassSplit, Side, split_classes
from fewshot.tasks.metatraining import MetaTraining, sides_of
from fewshot.tasks.sided import Sided


class NWayKShot(Sided):
    """Episodes of N classes with K support and Q query examples each; classes are split by side.

    Args:
        source: a jsonl, csv, tsv or parquet file, a folder, a name inside FEWSHOT_DATA or of the catalogue, a
            hub id (`owner/name:subset@revision`). From Python also a data frame, a list of mappings, a pool.
        way: classes in an episode (N).
        shot: support examples a class (K).
        queries: query examples a class (Q).
        columns: which columns hold text and label.
        split: which classes are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets.
        meta_training: sizes of the episodes of meta-training, and further data sets for it.

    Raises:
        InputError: anything that makes an episode impossible, before the first is drawn.
    """

    def __init__(
        self,
        source: Given,
        way: int = 5,
        shot: int = 5,
        queries: int = 5,
        columns: Columns = Columns(),
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
        meta_training: MetaTraining = MetaTraining(),
    ) -> None:
        self._pool = Pool.load(source, columns, reading)
        sides = split_pool(self._pool, source, split)
        further = meta_training.load(columns, reading)
        self._further = meta_training.resolved(further)
        tasks = sides_of(sides, (way, shot, queries), meta_training, further)
        super().__init__(tasks, self._pool.name, augmentation, {"source": self._pool})

    def resolved(self) -> Mapping[str, Any]:
        """The source, and the further ones, with the commits that were read."""
        return {**super().resolved(), **self._further}


def split_pool(pool: Pool, source: object, split: ClassSplit) -> dict[Side, Pool]:
    """The pool of each side that has classes, as the user or the source's `splits.json` divides them.

    Raises:
        InputError: see `split_classes`; a class that the pool does not have.
    """
    classes = split_classes(split, pool.classes, folder_of(source), Path(pool.name).name)
    return {side: pool.only(classes[side], side) for side in SIDES if classes[side]}

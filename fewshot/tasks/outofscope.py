"""N-way K-shot tasks with queries that belong to no class, which a model should reject.

Larson, Mahendran, Peper, Clarke, Lee, Hill, Kummerfeld, Leach, Laurenzano, Tang, Mars: An Evaluation
Dataset for
Intent Classification and Out-of-Scope Prediction, EMNLP 2019, https://aclanthology.org/D19-1131. Rejection is
measured by the area under the ROC curve of the highest class probability, as in Hendrycks, Gimpel: A Baseline
for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks, ICLR 2017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit, Side
from fewshot.errors import InputError, suggestion
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.nway import split_pool
from fewshot.tasks.pairs import sides_by_rows
from fewshot.tasks.sampler import PoolTasks
from fewshot.tasks.sided import Sided

SHARES = {"train": 1 / 3, "valid": 1 / 2}  # of the rows from outside: a third each


class OutOfScope(Sided):
    """N-way K-shot episodes with further queries from outside of all classes.

    Args:
        source: as for NWayKShot.
        way: classes in an episode (N).
        shot: support examples a class (K).
        queries: query examples a class (Q).
        outside: queries from outside in an episode.
        label: the label of the rows that belong to no class.
        rows: the column that says which side a row from outside is on; without it a third goes to each side.
        columns: which columns hold text and label.
        split: which classes are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets.

    Raises:
        InputError: no row with that label, or what makes an episode impossible.
    """

    def __init__(
        self,
        source: Given,
        way: int = 5,
        shot: int = 5,
        queries: int = 5,
        outside: int = 10,
        label: str = "oos",
        rows: str | None = None,
        columns: Columns = Columns(),
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        if outside < 1:
            raise InputError("outside is too small", where="family", got=outside, needed="at least 1")
        self._pool = Pool.load(source, columns, reading, also=[rows] if rows else [])
        pool = self._pool
        if label not in pool.classes:
            raise InputError(
                f"no row has the label {label!r}",
                where=pool.name,
                needed="the label of the rows that belong to no class",
                fix=suggestion(label, pool.classes),
            )
        inside = pool.only([each for each in pool.classes if each != label]).once()
        others = pool.only([label])
        strangers = sides_by_rows(others, rows) if rows else _thirds(others)
        sides: dict[Side, TaskFamily] = {}
        for side, own in split_pool(inside, source, split).items():
            if side not in strangers or strangers[side].size(label) < outside:
                raise InputError(
                    "too few rows from outside",
                    where=f"{pool.name} ({side})",
                    got=strangers[side].size(label) if side in strangers else 0,
                    needed=f"{outside}, the queries from outside in an episode",
                )
            tasks = PoolTasks(own, way, shot, queries)
            sides[side] = _WithOutside(tasks, strangers[side].renamed(f"outside {own.name}"), outside)
        super().__init__(sides, pool.name, augmentation, {"source": self._pool})


class _WithOutside(TaskFamily):
    def __init__(self, tasks: PoolTasks, strangers: Pool, outside: int) -> None:
        self._tasks, self._strangers, self._outside = tasks, strangers, outside

    def classes(self) -> Mapping[str, Sequence[str]]:
        return self._tasks.classes()

    def pools(self) -> Sequence[Pool]:
        return (*self._tasks.pools(), self._strangers)

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        return self._asked(self._tasks.episode(index, generator), generator)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        return self._asked(self._tasks.again(episode, generator), generator)

    def _asked(self, drawn: Episode, generator: np.random.Generator) -> Episode:
        (label,) = self._strangers.classes
        positions = generator.choice(self._strangers.size(label), self._outside, replace=False)
        return replace(drawn, outside=tuple(self._strangers.examples(label, positions)))


def _thirds(pool: Pool) -> dict[Side, Pool]:
    generator = np.random.default_rng(0)
    train, rest = pool.cut(SHARES["train"], generator)
    valid, test = rest.cut(SHARES["valid"], generator)
    return {"train": train, "valid": valid, "test": test}

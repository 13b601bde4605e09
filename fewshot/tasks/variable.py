"""Episodes of changing way and shot, their classes unbalanced, as in Meta-Dataset.

Triantafillou, Zhu, Dumoulin, Lamblin, Evci, Xu, Goroshin, Gelada, Swersky, Manzagol, Larochelle:
Meta-Dataset:
A Dataset of Datasets for Learning to Learn from Few Examples, ICLR 2020, https://arxiv.org/abs/1903.03096,
section 3.2. For the classes C of an episode, with |c| examples each:

    N = |C| ~ U[least_way, min(most_way, classes)]
    q = min(queries, min_c floor(|c| / 2))                             query examples a class
    beta ~ U(0, 1];  |S| = min(most_support, sum_c ceil(beta * min(most_shot, |c| - q)))
    a_c ~ U[log 0.5, log 2);  R_c = exp(a_c) |c| / sum_c' exp(a_c') |c'|
    k_c = min(floor(R_c * (|S| - N)) + 1, |c| - q)                     support examples of class c
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fewshot.data.augment import Augmentation
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit
from fewshot.errors import InputError, listing
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.nway import split_pool
from fewshot.tasks.sampler import draw_classes, shuffled
from fewshot.tasks.sided import Sided


class VariableWayShot(Sided):
    """Way and shot differ from episode to episode, and the shot from class to class.

    Args:
        source: as for NWayKShot.
        least_way: the fewest classes of an episode.
        most_way: the most classes of an episode.
        most_support: the most support examples of an episode.
        most_shot: what of a class counts at most for the size of the support set.
        queries: query examples a class, fewer where a class is small.
        columns: which columns hold text and label.
        split: which classes are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets.

    Raises:
        InputError: a side with fewer classes than least_way, a class with fewer than two examples.
    """

    def __init__(
        self,
        source: Given,
        least_way: int = 5,
        most_way: int = 50,
        most_support: int = 500,
        most_shot: int = 100,
        queries: int = 10,
        columns: Columns = Columns(),
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        self._pool = Pool.load(source, columns, reading)
        limits = _Limits(least_way, most_way, most_support, most_shot, queries)
        sides = split_pool(self._pool, source, split)
        tasks = {side: _VariableTasks(pool, limits) for side, pool in sides.items()}
        super().__init__(tasks, self._pool.name, augmentation, {"source": self._pool})


class _Limits:
    def __init__(
        self, least_way: int, most_way: int, most_support: int, most_shot: int, queries: int
    ) -> None:
        self.least_way, self.most_way, self.most_support = least_way, most_way, most_support
        self.most_shot, self.queries = most_shot, queries
        least = {
            "least_way": 2,
            "most_way": least_way,
            "most_support": most_way,
            "most_shot": 1,
            "queries": 1,
        }
        for name, limit in least.items():
            if getattr(self, name) < limit:
                raise InputError(
                    f"{name} is too small",
                    where="family",
                    got=getattr(self, name),
                    needed=f"at least {limit}",
                )


class _VariableTasks(TaskFamily):
    def __init__(self, pool: Pool, limits: _Limits) -> None:
        self._pool, self._limits = pool, limits
        if len(pool.classes) < limits.least_way:
            raise InputError(
                "fewer classes than least_way",
                where=pool.name,
                got=f"{len(pool.classes)} classes",
                needed=f"at least {limits.least_way}",
                fix="lower least_way, or give this side more classes",
            )
        single = [label for label in pool.classes if pool.size(label) < 2]
        if single:
            raise InputError(
                f"{len(single)} of {len(pool.classes)} classes have a single example",
                where=pool.name,
                got=listing(single),
                needed="two, one to learn from and one to be judged on",
                fix="leave these classes out of the split",
            )

    def classes(self) -> Mapping[str, Sequence[str]]:
        return {self._pool.name: self._pool.classes}

    def pools(self) -> Sequence[Pool]:
        return (self._pool,)

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        pool, limits = self._pool, self._limits
        most = min(limits.most_way, len(pool.classes))
        way = int(generator.integers(limits.least_way, most + 1))
        classes = tuple(pool.classes[n] for n in generator.choice(len(pool.classes), way, replace=False))
        sizes = np.array([pool.size(label) for label in classes])
        queries = min(limits.queries, int(sizes.min() // 2))
        shots = self._shots(sizes, queries, generator)
        support, query = draw_classes(pool, classes, shots.tolist(), queries, generator)
        return Episode(shuffled(support, generator), shuffled(query, generator), classes, pool.name)

    def _shots(
        self, sizes: npt.NDArray[np.int64], queries: int, generator: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        left = sizes - queries
        beta = 1 - generator.random()  # in (0, 1]
        total = int(np.ceil(beta * np.minimum(self._limits.most_shot, left)).sum())
        total = min(self._limits.most_support, total)
        weights = np.exp(generator.uniform(np.log(0.5), np.log(2), len(sizes))) * sizes
        shots = np.floor(weights / weights.sum() * (total - len(sizes))).astype(np.int64) + 1
        return np.asarray(np.minimum(shots, left))

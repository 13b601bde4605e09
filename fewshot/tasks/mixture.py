"""Episodes from several data sets: the data set is drawn first, then its classes.

With a temperature t a data set of n examples is drawn with a probability proportional to n^(1/t), as for the
languages of a multilingual model (Devlin, mBERT, 2018; Arivazhagan et al.: Massively Multilingual Neural
Machine Translation in the Wild, 2019): 1 follows the sizes, large values make all alike.
"""

from collections.abc import Sequence

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool, named_apart
from fewshot.data.reading import Reading
from fewshot.data.split import SIDES, ClassSplit
from fewshot.errors import InputError
from fewshot.tasks.nway import split_pool
from fewshot.tasks.sampler import PoolTasks
from fewshot.tasks.several import Several
from fewshot.tasks.sided import Sided


class Mixture(Sided):
    """N-way K-shot episodes, each from one of several data sets.

    Args:
        sources: two or more sources, each as for NWayKShot.
        way: classes in an episode (N).
        shot: support examples a class (K).
        queries: query examples a class (Q).
        weights: how often each source is drawn; by default all alike.
        temperature: in place of weights: draws by size, the more evenly the higher it is; above 0.
        columns: which columns hold text and label, in all sources.
        split: which classes of each source are for meta-training, validation and test; a source that has
            none for a side is not drawn there.
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets.

    Raises:
        InputError: weights and a temperature, or what makes an episode impossible.
    """

    def __init__(
        self,
        sources: Sequence[Given],
        way: int = 5,
        shot: int = 5,
        queries: int = 5,
        weights: list[float] | None = None,
        temperature: float | None = None,
        columns: Columns = Columns(),
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        if weights is not None and temperature is not None:
            raise InputError(
                "the shares of the sources are given in two ways at once",
                where="family",
                got="weights and temperature",
                needed="one of them",
            )
        if temperature is not None and not temperature > 0:
            raise InputError(
                "the temperature is not positive",
                where="family.temperature",
                got=temperature,
                needed="above 0",
            )
        if weights is not None and len(weights) != len(sources):
            raise InputError(
                "every source needs a weight",
                where="family.weights",
                got=f"{len(weights)} weights for {len(sources)} sources",
                needed="one for each",
            )
        self._pools = named_apart(Pool.load(source, columns, reading) for source in sources)
        split_pools = [
            split_pool(pool, source, split) for pool, source in zip(self._pools, sources, strict=True)
        ]
        sides = {}
        for side in SIDES:
            there = [n for n, pools in enumerate(split_pools) if side in pools]
            pools = [split_pools[n][side] for n in there]
            if temperature is not None:
                logs = np.log([len(pool) for pool in pools]) / temperature
                shares: list[float] | None = np.exp(logs - logs.max()).tolist() if pools else None
            else:
                shares = [weights[n] for n in there] if weights is not None else None
            if pools:
                sides[side] = Several([PoolTasks(pool, way, shot, queries) for pool in pools], shares)
        name = ", ".join(pool.name for pool in self._pools)
        super().__init__(sides, name, augmentation, {"sources": self._pools})

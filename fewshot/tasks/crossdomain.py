"""Meta-training on some corpora, the test on others: intents to news, news to relations."""

from collections.abc import Mapping, Sequence

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool, named_apart
from fewshot.data.reading import Reading
from fewshot.data.split import Side
from fewshot.errors import InputError
from fewshot.tasks.metatraining import names_of, without
from fewshot.tasks.sampler import PoolTasks
from fewshot.tasks.several import Several
from fewshot.tasks.sided import Sided

HELD_OUT = 0.2  # of the training classes, for validation, where no corpus is named for it


class CrossDomain(Sided):
    """N-way K-shot episodes whose data sets differ by side; each gives all its classes.

    A class that a training corpus shares by name with one of another side is left out of meta-training.

    Args:
        train: sources for meta-training, each as for NWayKShot.
        test: sources for the test.
        valid: sources for validation; by default a fifth of the classes of each training source, held out.
        way: classes in an episode (N).
        shot: support examples a class (K).
        queries: query examples a class (Q).
        columns: which columns hold text and label, in all sources.
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets.
        seed: for drawing the classes that are held out.

    Raises:
        InputError: a source on two sides, or what makes an episode impossible.
    """

    def __init__(
        self,
        train: Sequence[Given],
        test: Sequence[Given],
        valid: Sequence[Given] | None = None,
        way: int = 5,
        shot: int = 5,
        queries: int = 5,
        columns: Columns = Columns(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
        seed: int = 0,
    ) -> None:
        given: dict[Side, Sequence[Given]] = {"train": train, "valid": valid or [], "test": test}
        self._pools: dict[Side, list[Pool]] = {
            side: [Pool.load(each, columns, reading) for each in sources] for side, sources in given.items()
        }
        _check_apart(self._pools)
        every = named_apart(pool for pools in self._pools.values() for pool in pools)
        named = {side: [every.pop(0) for _ in pools] for side, pools in self._pools.items()}
        if valid is None:
            named["valid"] = [
                _held_out(without(pool, names_of(named["test"])), way, seed) for pool in named["train"]
            ]
        others = names_of([*named["valid"], *named["test"]])
        named["train"] = [without(pool, others) for pool in named["train"]]
        sides: dict[Side, Several] = {
            side: Several([PoolTasks(_of_side(pool, side), way, shot, queries) for pool in pools])
            for side, pools in named.items()
            if pools
        }
        names = {side: ", ".join(pool.name for pool in pools) for side, pools in self._pools.items()}
        read = {str(side): pools for side, pools in self._pools.items() if pools}
        super().__init__(sides, f"{names['train']} to {names['test']}", augmentation, read)


def _check_apart(given: Mapping[Side, Sequence[Pool]]) -> None:
    owner: dict[str, Side] = {}
    for side, pools in given.items():
        for name in {pool.name for pool in pools if pool.origin.sha256 or pool.origin.revision}:
            if name in owner:
                raise InputError(
                    f"the source {name!r} stands on two sides",
                    where="family",
                    got=f"{owner[name]} and {side}",
                    needed="other sources for each side",
                )
            owner[name] = side


def _held_out(pool: Pool, way: int, seed: int) -> Pool:
    """The classes for validation: a fifth, but enough for an episode."""
    count = max(way, round(HELD_OUT * len(pool.classes)))
    order = np.random.default_rng(seed).permutation(len(pool.classes))
    return pool.only(sorted(pool.classes[n] for n in order[:count]))


def _of_side(pool: Pool, side: Side) -> Pool:
    return pool.renamed(f"{pool.name} ({side})")

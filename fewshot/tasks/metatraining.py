"""Meta-training episodes that differ from those of the test: other sizes, further data sets.

More classes in a training episode than in a test episode: Snell, Swersky, Zemel: Prototypical Networks for
Few-shot Learning, NeurIPS 2017, https://arxiv.org/abs/1703.05175. Several data sets: Triantafillou et al.:
Meta-Dataset: A Dataset of Datasets for Learning to Learn from Few Examples, ICLR 2020,
https://arxiv.org/abs/1903.03096.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewshot.data.clean import normalised
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool, named_apart
from fewshot.data.reading import Reading
from fewshot.data.split import Side
from fewshot.errors import InputError, require_at_least
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sampler import PoolTasks
from fewshot.tasks.several import Several


@dataclass(frozen=True)
class Further:
    """What meta-training has beside the family's source.

    Args:
        labelled: data sets with classes.
        unlabelled: data sets with pseudo-classes.
    """

    labelled: Sequence[Pool]
    unlabelled: Sequence[Pool]


@dataclass(frozen=True)
class MetaTraining:
    """What is different in the episodes of meta-training.

    Args:
        way: classes in an episode, or all that a data set has where these are fewer; by default the family's.
        shot: support examples a class; by default the family's.
        queries: query examples a class; by default the family's.
        sources: further data sets, each as for the family's source, whose classes are all trained on. Left
            out of them are classes that validation or test name too, texts that stand there (but for case and
            punctuation), and classes with too few examples.
        share: of the episodes with labelled classes, so many are from the family's own source; the further
            ones share the rest evenly.
        unlabelled: data sets of pseudo-classes, as `fewshot cluster` makes them. Their texts may stand on the
            other sides too, as their labels tell nothing of a class; the report of leaks says it.
        unlabelled_share: of all episodes, so many are from these.
    """

    way: int | None = None
    shot: int | None = None
    queries: int | None = None
    sources: Sequence[Given] = ()
    share: float = 0.5
    unlabelled: Sequence[Given] = ()
    unlabelled_share: float = 0.5

    def __post_init__(self) -> None:
        sizes = {"way": (self.way, 2), "shot": (self.shot, 1), "queries": (self.queries, 1)}
        for name, (value, least) in sizes.items():
            if value is not None:
                require_at_least("family.meta_training", self, **{name: least})
        for name in ("share", "unlabelled_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    "this is no share of the episodes",
                    where=f"family.meta_training.{name}",
                    got=getattr(self, name),
                    needed="a number from 0 to 1",
                )

    def load(self, columns: Columns, reading: Reading) -> Further:
        """What is trained on beside the family's source.

        Args:
            columns: which columns hold text and label in the further sources.
            reading: which of their rows are read, and how they are cleaned.

        Raises:
            InputError: a source that is not there.
        """
        labelled = [Pool.load(each, columns, reading) for each in self.sources]
        return Further(labelled, [Pool.load(each) for each in self.unlabelled])

    def resolved(self, further: Further) -> dict[str, Any]:
        """The arguments, with the commits that were read; nothing where nothing further was read."""
        read = {"sources": further.labelled, "unlabelled": further.unlabelled}
        pinned = {name: [pool.origin.pinned for pool in pools] for name, pools in read.items()}
        return {"meta_training": vars(self) | pinned} if any(pinned.values()) else {}

    def tasks(
        self, own: Pool, held: Sequence[Pool], sizes: tuple[int, int, int], further: Further
    ) -> TaskFamily:
        """The episodes of meta-training.

        Args:
            own: the training classes of the family's source.
            held: the classes of the other sides.
            sizes: way, shot and queries of the family.
            further: what `load` gave.

        Raises:
            InputError: a source that has too few classes left.
        """
        shot, queries = self.shot or sizes[1], self.queries or sizes[2]
        _, *others = named_apart([own, *further.labelled, *further.unlabelled])
        labelled = [apart(pool, held, shot + queries) for pool in others[: len(further.labelled)]]
        pseudo = [_large(pool, shot + queries) for pool in others[len(further.labelled) :]]
        pools = [own, *labelled, *pseudo]
        families = [PoolTasks(pool, self._way(pool, sizes[0]), shot, queries) for pool in pools]
        return Several(families, self._shares(len(labelled), len(pseudo))) if others else families[0]

    def _way(self, pool: Pool, usual: int) -> int:
        """As many classes as asked for, or all there are; by default the usual number exactly."""
        return min(self.way, len(pool.classes)) if self.way else usual

    def _shares(self, labelled: int, pseudo: int) -> list[float]:
        """Of the family's own source, of each further one, of each with pseudo-classes."""
        own = self.share if labelled else 1.0
        rest = 1 - self.unlabelled_share if pseudo else 1.0
        shares = [own * rest, *[(1 - own) * rest / max(1, labelled)] * labelled]
        return [*shares, *[self.unlabelled_share / max(1, pseudo)] * pseudo]


def names_of(pools: Iterable[Pool]) -> set[str]:
    """The names of their classes, whatever the case."""
    return {label.casefold() for pool in pools for label in pool.classes}


def without(pool: Pool, names: set[str]) -> Pool:
    """The pool without the classes of these names."""
    return pool.only([label for label in pool.classes if label.casefold() not in names])


def apart(pool: Pool, held: Sequence[Pool], least: int) -> Pool:
    """What a pool does not share with others, neither by class name nor by text.

    Args:
        pool: the examples.
        held: what is kept for validation and test.
        least: classes with fewer examples left are left out.
    """
    texts = {normalised(text) for each in held for text in each.texts()}
    rest = without(pool, names_of(held))
    left: Mapping[str, list[int]] = {
        label: [n for n, text in enumerate(rest.only([label]).texts()) if normalised(text) not in texts]
        for label in rest.classes
    }
    return _large(rest.at(left), least)


def _large(pool: Pool, least: int) -> Pool:
    """The classes with enough examples for an episode."""
    return pool.only([label for label in pool.classes if pool.size(label) >= least])


def sides_of(
    pools: Mapping[Side, Pool],
    sizes: tuple[int, int, int],
    meta_training: MetaTraining,
    further: Further,
) -> dict[Side, TaskFamily]:
    """The episodes of every side that has classes."""
    held = [pool for side, pool in pools.items() if side != "train"]
    return {
        side: meta_training.tasks(pool, held, sizes, further) if side == "train" else PoolTasks(pool, *sizes)
        for side, pool in pools.items()
    }

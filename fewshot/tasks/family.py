"""What a source of episodes is, and how episode i of a seed comes to be the same everywhere."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from fewshot.data.pool import Pool
from fewshot.data.split import SIDES, Side
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode


class TaskFamily(ABC):
    """A source of episodes. Subclass it and write `episode`; that is all a family needs.

    `differs` says what its sides differ by, for the check of leaks: their classes, their tasks (the names of
    their pools), or their rows alone. `writes` says that there are no classes: `label` is to be written.
    """

    writes: ClassVar[bool] = False
    differs: Literal["classes", "tasks", "rows"] = "classes"

    @abstractmethod
    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """Episode number `index`.

        Args:
            index: from 0; families that list their tasks may use it.
            generator: the only source of randomness; a fresh one for each index.
        """

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        """Another episode of this side with the classes of one that it gave: support and query drawn anew.

        Args:
            episode: gives the source and the classes.
            generator: the only source of randomness.

        Raises:
            InputError: a family that cannot; most can.
        """
        raise InputError(
            "this family cannot draw the classes of an episode again",
            where=type(self).__name__,
            got="evaluation.repeats above 1",
            needed="a family with a method `again`",
            fix="set evaluation.repeats to 1",
        )

    def split(self, side: Side) -> "TaskFamily":
        """The family of one side: 'train', 'valid' or 'test'.

        A family that does not override this gives the same tasks on every side, only other
        episodes of them: enough to watch learning, not to claim that it generalises.
        """
        return self

    def classes(self) -> Mapping[str, Sequence[str]]:
        """All class names of this side by source, for methods that train on all of them at once.

        A family that does not list them gives none.
        """
        return {}

    def answers(self) -> Iterable[str]:
        """All answers of this side that are to be written; none where classes are asked for, or made up."""
        return ()

    def pools(self) -> Sequence[Pool]:
        """All examples of this side, for checks of leaks and for manifests; none where they are made up."""
        return ()

    def resolved(self) -> Mapping[str, Any]:
        """Constructor arguments that name exactly what was read, where those given leave it open."""
        return {}


def episode_generator(seed: int, side: Side, index: int, repeat: int = 0) -> np.random.Generator:
    """The generator of one episode: a function of its arguments alone, not of what was drawn before."""
    words = [seed, SIDES.index(side), index] + ([repeat] if repeat else [])
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def episodes(
    family: TaskFamily, side: Side, seed: int, indices: Iterable[int], repeats: int = 1
) -> Iterator[Episode]:
    """The episodes with these indices from one side of a family.

    With R repeats, index i is draw i % R of the classes of episode i // R; the first draw is that episode.

    Args:
        family: the whole family; `family.split(side)` is drawn from.
        side: 'train', 'valid' or 'test'.
        seed: together with side and index it names the episode.
        indices: which episodes.
        repeats: how often the classes of an episode are drawn from.

    Raises:
        InputError: repeats of a family that cannot draw the same classes again.
    """
    part = family.split(side)
    for index in indices:
        number, repeat = divmod(index, repeats)
        drawn = part.episode(number, episode_generator(seed, side, number))
        yield part.again(drawn, episode_generator(seed, side, number, repeat)) if repeat else drawn

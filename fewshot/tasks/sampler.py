"""N-way K-shot episodes from one pool."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fewshot.data.example import Example
from fewshot.data.pool import Pool
from fewshot.errors import InputError, listing
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily


class PoolTasks(TaskFamily):
    """Draws N classes of a pool, then K support and Q query examples of each.

    Args:
        pool: examples indexed by class.
        way: classes in an episode (N).
        shot: support examples a class (K).
        queries: query examples a class (Q).

    Raises:
        InputError: more ways than classes, a class with fewer than K + Q examples, a count below 1.
    """

    def __init__(self, pool: Pool, way: int, shot: int, queries: int) -> None:
        self.pool, self.way, self.shot, self.queries = pool, way, shot, queries
        self._check()

    def _check(self) -> None:
        counts = {"way": (self.way, 2), "shot": (self.shot, 1), "queries": (self.queries, 1)}
        for name, (value, least) in counts.items():
            if value < least:
                raise InputError(
                    f"{name} is too small", where="family", got=value, needed=f"at least {least}"
                )
        if self.way > len(self.pool.classes):
            raise InputError(
                "more ways than classes",
                where=self.pool.name,
                got=f"way {self.way}",
                needed=f"at most {len(self.pool.classes)}, the number of its classes",
                fix="lower way, or give this side more classes",
            )
        needed = self.shot + self.queries
        short = {label: size for label in self.pool.classes if (size := self.pool.size(label)) < needed}
        if short:
            raise InputError(
                f"{len(short)} of {len(self.pool.classes)} classes have too few examples",
                where=self.pool.name,
                got=listing(f"{label}: {size}" for label, size in short.items()),
                needed=f"{needed} in each class (shot {self.shot} + queries {self.queries})",
                fix="lower shot or queries, or leave these classes out of the split",
            )

    def pools(self) -> Sequence[Pool]:
        """The pool."""
        return (self.pool,)

    def classes(self) -> Mapping[str, Sequence[str]]:
        """The classes of the pool."""
        return {self.pool.name: self.pool.classes}

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """An episode; classes, examples and their order are drawn from `generator`."""
        pool = self.pool
        chosen = generator.choice(len(pool.classes), size=self.way, replace=False)
        return self._of(tuple(pool.classes[n] for n in chosen), generator)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        """Other examples of the same classes."""
        return self._of(episode.classes, generator)

    def _of(self, classes: tuple[str, ...], generator: np.random.Generator) -> Episode:
        shots = [self.shot] * len(classes)
        support, query = draw_classes(self.pool, classes, shots, self.queries, generator)
        return Episode(shuffled(support, generator), shuffled(query, generator), classes, self.pool.name)


def draw_classes(
    pool: Pool, classes: Sequence[str], shots: Sequence[int], queries: int, generator: np.random.Generator
) -> tuple[list[Example], list[Example]]:
    """Support and query examples of some classes, none of them in both.

    Args:
        pool: where they are.
        classes: N class names.
        shots: support examples of each.
        queries: query examples of each.
        generator: draws them, class by class.
    """
    places = [
        generator.choice(pool.size(label), size=shot + queries, replace=False)
        for label, shot in zip(classes, shots, strict=True)
    ]
    drawn = pool.examples_of(classes, places)
    support, query, first = [], [], 0
    for shot in shots:
        support += drawn[first : first + shot]
        query += drawn[first + shot : first + shot + queries]
        first += shot + queries
    return support, _unseen(pool, support, query, generator)


def _unseen(
    pool: Pool, support: Sequence[Example], query: list[Example], generator: np.random.Generator
) -> list[Example]:
    """The query examples, others of their class in the place of texts that stand in the support set.

    That happens where a text has two labels; the right answer would be the other one.
    """
    seen = {(example.text, example.text_pair) for example in support}
    if not any((example.text, example.text_pair) in seen for example in query):
        return query
    seen |= {(example.text, example.text_pair) for example in query}
    kept = {(e.text, e.text_pair) for e in query} - {(e.text, e.text_pair) for e in support}
    found = [example for example in query if (example.text, example.text_pair) in kept]
    for label in (example.label for example in query if (example.text, example.text_pair) not in kept):
        others = pool.examples(label, generator.permutation(pool.size(label)))
        fresh = next((e for e in others if (e.text, e.text_pair) not in seen), None)
        if fresh is not None:
            seen.add((fresh.text, fresh.text_pair))
            found.append(fresh)
    return found


def draw_filled(
    names: Sequence[str],
    way: int,
    draw: Callable[[str, set[str]], list[Example] | None],
    generator: np.random.Generator,
    where: str,
) -> dict[str, list[Example]]:
    """N classes that can be filled from texts that no other class of the episode has.

    Args:
        names: the classes there are.
        way: N.
        draw: gives the examples of a class, none of whose texts is in the set, or None where it has too few;
            adds their texts to the set.
        generator: draws the classes.
        where: for the message.

    Raises:
        InputError: fewer than N classes can be filled.
    """
    found: dict[str, list[Example]] = {}
    seen: set[str] = set()
    for tried in (min(len(names), 4 * way), len(names)):  # rarely are all of them needed
        for number in generator.choice(len(names), size=tried, replace=False):
            name = names[number]
            if name not in found and len(found) < way:
                own = draw(name, seen)
                found |= {} if own is None else {name: own}
        if len(found) == way:
            return found
    raise InputError(
        "an episode cannot be drawn: its classes share too many texts",
        where=where,
        got=f"{len(found)} classes that could be filled",
        needed=f"way {way}",
        fix="lower way, shot or queries, or give more text",
    )


def shuffled(examples: Sequence[Example], generator: np.random.Generator) -> tuple[Example, ...]:
    """The examples in another order."""
    return tuple(examples[i] for i in generator.permutation(len(examples)))

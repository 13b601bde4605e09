"""Attribute tasks: sentences that mention many attributes; an episode asks about one of them.

The embedded task family. The same sentence has different labels in different episodes, and only
the support set tells which attribute counts, so no frozen feature can solve them: a model has to
learn how to learn.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from fewshot.data.example import Example
from fewshot.data.split import SIDES, Side
from fewshot.errors import InputError, listing
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.grammar import KINDS, Kind
from fewshot.tasks.sided import Sided

SHARED_KINDS = KINDS[:10]
DISJOINT_KINDS: dict[Side, tuple[Kind, ...]] = {
    "train": KINDS[:10],
    "valid": KINDS[10:15],
    "test": KINDS[15:],
}
MENTIONS = {"shared": 10, "disjoint": 5}


class Attributes(Sided):
    """Sentences from a grammar; each episode asks about one attribute and N of its values.

    Args:
        way: classes in an episode, values of one attribute (N, at most 5).
        shot: support examples a class (K).
        queries: query examples a class (Q).
        kinds: 'shared': all sides ask about the same ten attributes, with disjoint values;
            'disjoint': the attributes are disjoint too (the harder setting).
        mentions: attributes that a sentence mentions, the asked one among them; by default all
            that every side has: ten where they are shared, five where they are disjoint.

    Raises:
        InputError: more ways than a side has values, more mentions than a side has attributes,
            kinds that are neither.
    """

    def __init__(
        self,
        way: int = 5,
        shot: int = 5,
        queries: int = 5,
        kinds: Literal["shared", "disjoint"] = "shared",
        mentions: int | None = None,
    ) -> None:
        if kinds not in MENTIONS:
            raise InputError(
                "unknown setting", where="attribute tasks", got=f"kinds {kinds!r}", needed=listing(MENTIONS)
            )
        mentions = MENTIONS[kinds] if mentions is None else mentions
        sides = {side: _Side(side, kinds, way, shot, queries, mentions) for side in SIDES}
        super().__init__(sides, "attribute tasks")


def _source(kind: Kind) -> str:
    return f"attributes/{kind.name}"


class _Side(TaskFamily):
    def __init__(self, side: Side, kinds: str, way: int, shot: int, queries: int, mentions: int) -> None:
        self._side: Side = side
        self._kinds = SHARED_KINDS if kinds == "shared" else DISJOINT_KINDS[side]
        self._way, self._shot, self._queries, self._mentions = way, shot, queries, mentions
        limits = {
            "way": (way, 2, min(len(kind.values(side)) for kind in self._kinds)),
            "shot": (shot, 1, 100),
            "queries": (queries, 1, 100),
            "mentions": (mentions, 2, len(self._kinds)),
        }
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise InputError(
                    f"{name} is out of range",
                    where=f"attribute tasks, {side} side",
                    got=value,
                    needed=f"{least} to {most}",
                )

    def classes(self) -> Mapping[str, Sequence[str]]:
        """The values of every attribute."""
        return {_source(kind): [str(v) for v in kind.values(self._side)] for kind in self._kinds}

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        asked = self._kinds[generator.integers(len(self._kinds))]
        classes = tuple(str(v) for v in generator.choice(asked.values(self._side), self._way, replace=False))
        return self._of(asked, classes, generator)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        (asked,) = (kind for kind in self._kinds if _source(kind) == episode.source)
        return self._of(asked, episode.classes, generator)

    def _of(self, asked: Kind, classes: tuple[str, ...], generator: np.random.Generator) -> Episode:
        wanted = [label for label in classes for _ in range(self._shot + self._queries)]
        seen: set[str] = set()
        examples = [self._example(asked, label, seen, generator) for label in wanted]
        block = self._shot + self._queries
        support = [example for n, example in enumerate(examples) if n % block < self._shot]
        query = [example for n, example in enumerate(examples) if n % block >= self._shot]
        return Episode(
            support=tuple(support[i] for i in generator.permutation(len(support))),
            query=tuple(query[i] for i in generator.permutation(len(query))),
            classes=classes,
            source=_source(asked),
        )

    def _example(self, asked: Kind, label: str, seen: set[str], generator: np.random.Generator) -> Example:
        """A sentence that this episode has not seen yet."""
        while True:
            text = self._sentence(asked, label, generator)
            if text not in seen:
                seen.add(text)
                return Example(text=text, label=label)

    def _sentence(self, asked: Kind, label: str, generator: np.random.Generator) -> str:
        others = [kind for kind in self._kinds if kind is not asked]
        extra = generator.choice(len(others), size=self._mentions - 1, replace=False)
        clauses = [self._clause(asked, label, generator)]
        for n in extra:
            values = others[n].values(self._side)
            clauses.append(self._clause(others[n], values[generator.integers(len(values))], generator))
        ordered = [clauses[i] for i in generator.permutation(len(clauses))]
        text = ", ".join(ordered)
        return text[0].upper() + text[1:] + "."

    @staticmethod
    def _clause(kind: Kind, value: str, generator: np.random.Generator) -> str:
        phrase = kind.phrases[generator.integers(len(kind.phrases))]
        if value[0] in "aeio":  # no value starts with a u that asks for 'an'
            phrase = phrase.replace("a {}", "an {}")
        return phrase.format(value)

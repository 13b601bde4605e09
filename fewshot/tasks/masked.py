"""Tasks from text without labels: which of N words has been masked in a sentence?

SMLMT: Bansal, Jha, Munkhdalai, McCallum: Self-Supervised Meta-Learning for Few-Shot Natural Language
Classification Tasks, EMNLP 2020, https://arxiv.org/abs/2009.08445: N words are drawn, K + Q sentences with
each, and the word is replaced by a mask; the class of a sentence is its word.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import SIDES, ClassSplit, Side, split_classes
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sampler import draw_filled, shuffled
from fewshot.tasks.sided import Sided

WORD = re.compile(r"(?<!\w)[^\W\d_]{3,}(?!\w)")
SHARES = {"train": 6, "valid": 8, "test": 10}  # of the texts, in tenths, up to which a side goes


class MaskedWords(Sided):
    """N masked words, K support and Q query sentences of each; words and texts are disjoint by side.

    Args:
        source: as for NWayKShot; also a .txt file, a text a line.
        way: words in an episode (N).
        shot: support sentences a word (K).
        queries: query sentences a word (Q).
        mask: what stands in the place of the word: the mask of the backbone's tokenizer.
        most: words in more texts of a side than this are left out, such as 'the'.
        columns: which column holds the text; labels are not read.
        split: which words are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets.

    Raises:
        InputError: a side with fewer words than N that stand in K + Q texts.
    """

    def __init__(
        self,
        source: Given,
        way: int = 5,
        shot: int = 5,
        queries: int = 5,
        mask: str = "[MASK]",
        most: int = 500,
        columns: Columns = Columns(label=None),
        split: ClassSplit = ClassSplit(fractions=(0.6, 0.2, 0.2)),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        self._pool = Pool.load(source, columns, reading)
        pools = _by_side(self._pool)
        indices = {side: _index(pool) for side, pool in pools.items()}
        known = sorted({word for index in indices.values() for word in index})
        words = split_classes(split, known, None, self._pool.name)
        sides: dict[Side, TaskFamily] = {}
        for side in SIDES:
            if words[side]:
                fit = {
                    word: rows
                    for word in words[side]
                    if shot + queries <= len(rows := indices[side].get(word, ())) <= most
                }
                sides[side] = _Masked(pools[side], fit, (way, shot, queries), mask)
        super().__init__(sides, self._pool.name, augmentation, {"source": self._pool})


Places = Sequence[tuple[str, int]]


class _Masked(TaskFamily):
    def __init__(
        self, pool: Pool, words: Mapping[str, Places], counts: tuple[int, int, int], mask: str
    ) -> None:
        self._pool, self._name, self._words, self._mask = pool, pool.name, words, mask
        self._known = tuple(words)
        self._way, self._shot, self._queries = counts
        if self._way < 2 or len(words) < self._way:
            raise InputError(
                "too few words can be masked",
                where=pool.name,
                got=f"{len(words)} words that stand in {self._shot + self._queries} texts",
                needed=f"way {self._way}, and at least 2",
                fix="give more text, lower way, shot or queries, or raise most",
            )

    def classes(self) -> Mapping[str, Sequence[str]]:
        return {self._name: self._known}

    def pools(self) -> Sequence[Pool]:
        return (self._pool,)

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        def draw(word: str, seen: set[str]) -> list[Example] | None:
            return self._drawn(word, seen, generator)

        found = draw_filled(self._known, self._way, draw, generator, self._name)
        support = [example for own in found.values() for example in own[: self._shot]]
        query = [example for own in found.values() for example in own[self._shot :]]
        return Episode(shuffled(support, generator), shuffled(query, generator), tuple(found), self._name)

    def _drawn(self, word: str, seen: set[str], generator: np.random.Generator) -> list[Example] | None:
        """K + Q sentences with the word masked, new to the episode either way; None where it has too few."""
        places, needed = self._words[word], self._shot + self._queries
        own: dict[str, Example] = {}
        texts: set[str] = set()
        for n in generator.permutation(len(places)):
            label, position = places[n]
            (example,) = self._pool.examples(label, [position])
            masked = self._masked(example.text, word)
            if not {example.text, masked} & (seen | texts):
                texts |= {example.text, masked}
                own[masked] = Example(masked, word)
            if len(own) == needed:
                seen |= texts
                return list(own.values())
        return None

    def _masked(self, text: str, word: str) -> str:
        return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _: self._mask, text, flags=re.IGNORECASE)


def _by_side(pool: Pool) -> dict[Side, Pool]:
    """The texts of each side."""
    positions: dict[Side, dict[str, list[int]]] = {
        side: {label: [] for label in pool.classes} for side in SIDES
    }
    for label in pool.classes:
        for position, example in enumerate(pool.all_of(label)):
            positions[_side_of(example.text)][label].append(position)
    return {side: pool.at(own, side) for side, own in positions.items()}


def _index(pool: Pool) -> dict[str, list[tuple[str, int]]]:
    """Word -> the texts that it stands in, by class and position."""
    found: dict[str, list[tuple[str, int]]] = {}
    for label in pool.classes:
        for position, example in enumerate(pool.all_of(label)):
            for word in dict.fromkeys(WORD.findall(example.text.lower())):
                found.setdefault(word, []).append((label, position))
    return found


def _side_of(text: str) -> Side:
    """The side of a text, by its hash: the same in every order and every part of the data."""
    tenth = hashlib.blake2b(text.encode(), digest_size=8).digest()[0] % 10
    return next(side for side in SIDES if tenth < SHARES[side])

"""Leaks between the sides: classes, texts and near-duplicates that stand on two of them."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

from datasketch import MinHash, MinHashLSH

from fewshot.data.clean import normalised
from fewshot.data.pool import Pool
from fewshot.data.split import Side
from fewshot.errors import InputError, listing

Kind = Literal["class", "text", "near-duplicate"]
WORDS: dict[Kind, str] = {"class": "classes", "text": "texts", "near-duplicate": "near-duplicates"}
SHOWN = 3  # examples of a finding
MOST = 200_000  # texts of a side that are looked at; more would take minutes at every start
BEGINNING = 1000  # letters by which near-duplicates are judged
COMPARISONS = 1_000_000  # of candidates, between two sides: some seconds
GRAM = 5  # letters of a shingle
BANDS = (13, 5)  # of so many hashes: two texts alike in 80% of their shingles are missed once in 170
ALIKE = 0.8  # share of common shingles from which on two texts are near-duplicates


@dataclass(frozen=True)
class Leak:
    """What two sides share.

    Args:
        kind: 'class' (or a task, where the sides differ by tasks), 'text' (case, white space and punctuation
            apart) or 'near-duplicate'.
        sides: the two.
        count: how many classes or different texts.
        examples: some of them.
    """

    kind: Kind
    sides: tuple[Side, Side]
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        sides = " and ".join(self.sides)
        return f"{self.count} {WORDS[self.kind]} on two sides ({sides}), such as {self.examples[0]!r}"


@dataclass(frozen=True)
class LeakReport:
    """All leaks of a family.

    Args:
        leaks: those that were found.
        texts: the texts of each side that were looked at.
        complete: whether these are all: of very large sides only the first texts are looked at, and where
            very many are similar, not all of them are compared.
    """

    leaks: tuple[Leak, ...]
    texts: Mapping[Side, int]
    complete: bool

    def content(self) -> dict[str, Any]:
        """For `leaks.json`."""
        return {
            "leaks": [asdict(leak) for leak in self.leaks],
            "texts": dict(self.texts),
            "complete": self.complete,
        }

    def refuse(self) -> None:
        """Raises where there is a leak.

        Raises:
            InputError: names the first of them.
        """
        if self.leaks:
            raise InputError(
                f"the sides are not apart: {self.leaks[0]}",
                where="--strict",
                got=listing(f"{x.count} {WORDS[x.kind]} ({' and '.join(x.sides)})" for x in self.leaks),
                needed="classes and texts that stand on one side alone",
                fix="clean the data (reading.cleaning.duplicates pool), choose another split, or leave "
                "--strict out",
            )


def find_leaks(names: Mapping[Side, set[str]], pools: Mapping[Side, Sequence[Pool]]) -> LeakReport:
    """Compares the sides of a family, two at a time.

    Args:
        names: of the classes, or tasks, that should stand on one side alone.
        pools: the examples of each side.
    """
    sides = {side: _Texts(own) for side, own in pools.items()}
    found = [
        leak
        for one, other in combinations(pools, 2)
        for leak in (
            _leak("class", (one, other), names[one] & names[other]),
            _leak("text", (one, other), sides[one].shared(sides[other])),
            _leak("near-duplicate", (one, other), sides[one].near(sides[other])),
        )
        if leak
    ]
    complete = all(sum(map(len, own)) <= MOST for own in pools.values())
    complete = complete and not any(texts.gave_up for texts in sides.values())
    return LeakReport(tuple(found), {side: len(own.by_key) for side, own in sides.items()}, complete)


class _Texts:
    """The texts of a side: normalised text -> text, with the shingles and hashes of each."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self.by_key: dict[str, str] = {}
        self.gave_up = False  # on comparing: texts made from one template are all candidates of each other
        left = MOST
        for pool in pools:
            for text in pool.texts(left):
                self.by_key.setdefault(normalised(text), text)
            left = max(0, left - len(pool))

    @cached_property
    def grams(self) -> list[set[bytes]]:
        """The shingles of each text."""
        return [_grams(key) for key in self.by_key]

    @cached_property
    def hashes(self) -> list[MinHash]:
        """Of each text."""
        return list(MinHash.bulk(self.grams, num_perm=BANDS[0] * BANDS[1], hashfunc=zlib.crc32))

    @cached_property
    def index(self) -> MinHashLSH:
        """Finds the numbers of texts that share a band."""
        index = MinHashLSH(num_perm=BANDS[0] * BANDS[1], params=BANDS)
        with index.insertion_session() as session:
            for number, hashes in enumerate(self.hashes):
                session.insert(number, hashes, check_duplication=False)
        return index

    def shared(self, other: "_Texts") -> set[str]:
        """Texts of the other side that this one has."""
        return {other.by_key[key] for key in self.by_key.keys() & other.by_key.keys()}

    def near(self, other: "_Texts") -> set[str]:
        """Texts of the other side that are almost one of this; candidates of MinHash are compared in full.

        Broder: On the Resemblance and Containment of Documents, 1997.
        """
        mine, found, left = list(self.by_key), set(), COMPARISONS
        for number, (key, text) in enumerate(other.by_key.items()):
            if key in self.by_key:
                continue  # it is the same
            grams = other.grams[number]
            candidates = self.index.query(other.hashes[number])
            left -= len(candidates)
            if left < 0:
                self.gave_up = True
                break
            if any(mine[n] not in other.by_key and _alike(self.grams[n], grams) for n in candidates):
                found.add(text)
        return found


def _leak(kind: Kind, sides: tuple[Side, Side], found: Iterable[str]) -> Leak | None:
    names = sorted(found)
    return Leak(kind, sides, len(names), tuple(name[:200] for name in names[:SHOWN])) if names else None


def _grams(key: str) -> set[bytes]:
    """The shingles of the beginning of a text."""
    key = key[:BEGINNING]
    return {key[n : n + GRAM].encode() for n in range(max(1, len(key) - GRAM + 1))}


def _alike(one: set[bytes], other: set[bytes]) -> bool:
    """Whether two texts share so many of their shingles that they are near-duplicates."""
    common = len(one & other)
    return common >= ALIKE * (len(one) + len(other) - common)

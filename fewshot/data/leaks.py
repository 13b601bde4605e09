"""Leaks between the sides: classes, texts and near-duplicates that stand on two of them."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
GRAM = 5  # letters of a shingle
BANDS = (16, 4)  # of so many hashes: two texts alike in 80% of their shingles are missed once in 5,000
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
        complete: whether these are all; of very large sides only the first are looked at.
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
    texts = {side: _texts(own) for side, own in pools.items()}
    found = [
        leak
        for one, other in combinations(pools, 2)
        for leak in (
            _leak("class", (one, other), names[one] & names[other]),
            _shared_texts(texts, one, other),
            _near_duplicates(texts, one, other),
        )
        if leak
    ]
    complete = all(sum(map(len, own)) <= MOST for own in pools.values())
    return LeakReport(tuple(found), {side: len(own) for side, own in texts.items()}, complete)


def _texts(pools: Sequence[Pool]) -> dict[str, str]:
    """Normalised text -> text."""
    found: dict[str, str] = {}
    left = MOST
    for pool in pools:
        for text in pool.texts(left):
            found.setdefault(normalised(text), text)
        left = max(0, left - len(pool))
    found.pop("", None)  # texts of signs alone are all alike
    return found


def _shared_texts(texts: Mapping[Side, dict[str, str]], one: Side, other: Side) -> Leak | None:
    shared = texts[one].keys() & texts[other].keys()
    return _leak("text", (one, other), {texts[other][key] for key in shared})


def _near_duplicates(texts: Mapping[Side, dict[str, str]], one: Side, other: Side) -> Leak | None:
    """Texts of the second side that are almost one of the first; candidates of MinHash are compared in full.

    Broder: On the Resemblance and Containment of Documents, 1997.
    """
    left = [key for key in texts[one] if key not in texts[other]]
    right = [key for key in texts[other] if key not in texts[one]]
    grams = [_grams(key) for key in (*left, *right)]
    hashes = MinHash.bulk(grams, num_perm=BANDS[0] * BANDS[1], hashfunc=zlib.crc32)
    index = MinHashLSH(num_perm=BANDS[0] * BANDS[1], params=BANDS)
    with index.insertion_session() as session:
        for number in range(len(left)):
            session.insert(number, hashes[number], check_duplication=False)
    found = set()
    for number, key in enumerate(right, len(left)):
        if any(_resemblance(grams[number], grams[match]) >= ALIKE for match in index.query(hashes[number])):
            found.add(texts[other][key])
    return _leak("near-duplicate", (one, other), found)


def _leak(kind: Kind, sides: tuple[Side, Side], found: Iterable[str]) -> Leak | None:
    names = sorted(found)
    return Leak(kind, sides, len(names), tuple(name[:200] for name in names[:SHOWN])) if names else None


def _grams(key: str) -> set[bytes]:
    """The shingles of a text."""
    return {key[n : n + GRAM].encode() for n in range(max(1, len(key) - GRAM + 1))}


def _resemblance(one: set[bytes], other: set[bytes]) -> float:
    return len(one & other) / len(one | other)

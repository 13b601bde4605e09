"""A small family of every kind, on rows in memory: what the contract tests run over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fewshot.data.augment import Augmentation
from fewshot.data.example import Example
from fewshot.data.pool import Pool
from fewshot.data.split import SIDES, ClassSplit, Side
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.augmented import Augmented
from fewshot.tasks.coarse import CoarseToFine
from fewshot.tasks.crossdomain import CrossDomain
from fewshot.tasks.dialogue import Dialogue
from fewshot.tasks.domains import Domains
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.inflections import Inflections
from fewshot.tasks.masked import MaskedWords
from fewshot.tasks.matching import Matching
from fewshot.tasks.mixture import Mixture
from fewshot.tasks.nway import NWayKShot
from fewshot.tasks.outofscope import OutOfScope
from fewshot.tasks.pairs import TextPairs
from fewshot.tasks.published import PublishedEpisodes
from fewshot.tasks.records import Records
from fewshot.tasks.strings import StringTasks
from fewshot.tasks.variable import VariableWayShot
from fewshot.tasks.views import Views

Row = dict[str, Any]
TWELVE = [f"class{n:02}" for n in range(12)]
NOUNS = (
    "river", "mountain", "garden", "kitchen", "engine", "letter", "window", "station", "market", "island",
    "bridge", "forest",
)  # fmt: skip
VERBS = ("crosses", "watches", "follows", "remembers", "describes", "finds", "paints", "visits")


def rows(classes: list[str], each: int = 12, **more: Any) -> list[Row]:
    return [{"text": f"{label} number {n}", "label": label} | more for label in classes for n in range(each)]


def named(name: str, prefix: str = "class") -> Pool:
    """A pool with a name of its own."""
    labels = [f"{prefix}{n:02}" for n in range(12)]
    return Pool.of([Example(row["text"], row["label"]) for row in rows(labels)], name)


def sentences(count: int = 400) -> list[Row]:
    """Every noun and verb stands in many of them."""
    return [
        {
            "text": f"the {NOUNS[n % 12]} {VERBS[n // 12 % 8]} the {NOUNS[(n * 5 + n // 12 + 1) % 12]} {n}",
            "label": "text",
        }
        for n in range(count)
    ]


def tasks(names: list[str], labels: tuple[str, ...] = ("no", "yes"), each: int = 12) -> list[Row]:
    return [
        {"task": task, "text": f"{task} {label} {n}", "label": label, "split": "train" if n % 2 else "test"}
        for task in names
        for label in labels
        for n in range(each)
    ]


def pairs() -> list[Row]:
    sides = ("train", "train", "dev", "test")
    return [
        {"text_a": f"premise {n} {label}", "text_b": f"hypothesis {n}", "label": label, "split": sides[n % 4]}
        for n in range(60)
        for label in ("entails", "neutral")
    ]


def published() -> list[Row]:
    train = [
        {"task": t, "text": f"{t} {s} {c} {n}", "label": c, "episode": str(s), "shots": "2"}
        for t in ("airline", "disaster", "rating", "mood")
        for s in range(3)
        for c in ("no", "yes")
        for n in range(2)
    ]
    asked = [
        {"task": t, "text": f"{t} asked {c} {n}", "label": c, "episode": None, "shots": None}
        for t in ("airline", "disaster", "rating", "mood")
        for c in ("no", "yes")
        for n in range(8)
    ]
    return train + asked


def views() -> list[Row]:
    return [
        {"text": f"a {mood} review {n} of a {thing}", "label": mood, "thing": thing}
        for thing in ("book", "toy", "phone", "film", "shirt", "knife")
        for mood in ("good", "bad")
        for n in range(8)
    ]


def records() -> list[Row]:
    return [
        {"task": f"task{t}", "input": f"question {n} of {t}", "output": f"answer {n % 7}"}
        for t in range(10)
        for n in range(24)
    ]


def inflections() -> list[Row]:
    return [
        {"task": language, "input": f"{language} {n} {features}", "output": f"{language} {n}{ending}"}
        for language in ("Ape", "Bee", "Cat", "Dog", "Elk", "Fox")
        for features, ending in (("N;PL", "s"), ("N;GEN", "i"))
        for n in range(12)
    ] + [{"task": "Ape", "input": "rare V;PST", "output": "rared"}]


def turns() -> list[Row]:
    return [
        {"conversation": f"{p} {c}", "speaker": f"person{(p + n % 2) % 8}", "text": f"turn {n} of {c} by {p}"}
        for p in range(8)
        for c in range(4)
        for n in range(6)
    ]


@dataclass(frozen=True)
class Made:
    make: Callable[[], TaskFamily]
    balanced: bool = True
    sides: tuple[Side, ...] = SIDES


THIRDS = ClassSplit(fractions=(0.34, 0.33, 0.33))
HALVES = ClassSplit(fractions=(0.5, 0.25, 0.25))
COARSE = [
    {"text": f"{c}{f} text {n}", "label": f"{c}{f}", "coarse": c}
    for c in "abcdef"
    for f in range(3)
    for n in range(10)
]
OUTSIDE = rows(TWELVE) + rows(["oos"], 60)

FAMILIES_MADE: dict[str, Made] = {
    "Attributes": Made(lambda: Attributes(way=3, shot=2, queries=2, mentions=3)),
    "NWayKShot": Made(lambda: NWayKShot(rows(TWELVE), 2, 3, 2)),
    "VariableWayShot": Made(lambda: VariableWayShot(rows(TWELVE), 2, 4, 20, 5, 3), balanced=False),
    "Mixture": Made(lambda: Mixture([named("one"), named("two", "k")], 2, 3, 2)),
    "CrossDomain": Made(lambda: CrossDomain([named("one")], [named("two", "k")], way=2, shot=3, queries=2)),
    "CoarseToFine": Made(lambda: CoarseToFine(COARSE, "coarse", 2, 3, 2, split=HALVES)),
    "Domains": Made(lambda: Domains(tasks([f"t{n}" for n in range(8)]), 3, 2, split=HALVES)),
    "TextPairs": Made(lambda: TextPairs(pairs(), 3, 2)),
    "PublishedEpisodes": Made(lambda: PublishedEpisodes(published(), 2, 3, split=HALVES)),
    "OutOfScope": Made(lambda: OutOfScope(OUTSIDE, 2, 3, 2, 4)),
    "MaskedWords": Made(lambda: MaskedWords(sentences(), 2, 3, 2), balanced=False),
    "Views": Made(lambda: Views(views(), "thing", way=2, shot=3, queries=2, split=THIRDS)),
    "Records": Made(lambda: Records(records(), 3, 4), balanced=False),
    "Inflections": Made(lambda: Inflections(inflections(), 3, 4), balanced=False),
    "Dialogue": Made(lambda: Dialogue(turns(), 3, 4, split=HALVES), balanced=False),
    "StringTasks": Made(lambda: StringTasks(3, 4), balanced=False),
    "Matching": Made(lambda: Matching(records(), 3, 2)),
    "Augmented": Made(lambda: Augmented(NWayKShot(rows(TWELVE), 2, 3, 2), Augmentation(copies=2, rate=0.3))),
}

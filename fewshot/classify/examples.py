"""Labelled examples as they are handed over, checked before anything is computed."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fewshot.errors import InputError, listing


class BadExamplesError(InputError, ValueError):
    """The examples or texts are wrong; a ValueError too, as the users of estimators expect."""


@dataclass(frozen=True)
class Labelled:
    """Examples to learn a task from.

    Args:
        texts: n texts.
        labels: the class name of each.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in alphabetical order; class number n of the model is the n-th."""
        return tuple(sorted(set(self.labels)))

    @property
    def numbers(self) -> list[int]:
        """The class number of each example."""
        number = {name: n for n, name in enumerate(self.classes)}
        return [number[label] for label in self.labels]

    @property
    def shots(self) -> dict[str, int]:
        """How many examples each class has."""
        counts = Counter(self.labels)
        return {name: counts[name] for name in self.classes}

    def __add__(self, other: "Labelled") -> "Labelled":
        return Labelled(self.texts + other.texts, self.labels + other.labels)


def labelled(
    texts: Sequence[Any], labels: Sequence[Any], where: str = "the examples", least: int = 2
) -> Labelled:
    """Checks examples.

    Args:
        texts: n strings that are not blank.
        labels: the class of each: anything but None and NaN, taken by its name.
        where: what messages call them.
        least: how many classes there have to be; 1 where the labels are answers to be written.

    Raises:
        BadExamplesError: nothing there, another number of labels than of texts, a text that is no string or
            blank, a label that is missing, one class alone.
    """
    if len(texts) != len(labels):
        raise BadExamplesError(
            "every text needs one label",
            where=where,
            got=f"{len(texts)} texts and {len(labels)} labels (inconsistent numbers of samples)",
            needed="as many labels as texts",
        )
    if not len(texts):
        raise BadExamplesError(
            "there is nothing to learn from",
            where=where,
            got="0 examples (0 samples)",
            needed="at least one text of each class (a minimum of 1 is required)",
        )
    found = Labelled(checked_texts(texts, where), tuple(_names(labels, where)))
    if len(found.classes) < least:
        raise BadExamplesError(
            "there is one class alone",
            where=where,
            got=f"{len(found.texts)} examples of {found.classes[0]!r} (1 class)",
            needed="examples of at least two classes",
            fix="add examples of what is not of this class",
        )
    return found


def checked_texts(texts: Iterable[Any], where: str = "the texts") -> tuple[str, ...]:
    """Texts, each a string that is not blank.

    Raises:
        BadExamplesError: another thing among them; the message says which.
    """
    found = tuple(texts)
    for number, text in enumerate(found):
        if not isinstance(text, str) or not text.strip():
            raise BadExamplesError(
                "a text is empty" if isinstance(text, str) else "a text is no string",
                where=f"{where}, number {number + 1}",
                got=repr(text) if isinstance(text, str) else f"{_short(text)} of type {type(text).__name__}",
                needed="a string with something in it",
                fix="leave such examples out, or fill in their text",
            )
    return tuple(str(text) for text in found)


def _names(labels: Iterable[Any], where: str) -> Iterable[str]:
    for number, label in enumerate(labels):
        missing = label is None or (isinstance(label, float) and math.isnan(label))
        if missing or not str(label).strip():
            raise BadExamplesError(
                "an example has no label",
                where=f"{where}, number {number + 1}",
                got=repr(label) if not missing else str(label),
                needed="the name or the number of its class",
                fix="leave such examples out, or label them",
            )
        yield str(label)


def check_balance(found: Labelled) -> str:
    """What to know of classes with few examples; empty where all have as many."""
    shots = found.shots
    few = [name for name, count in shots.items() if count < max(shots.values())]
    return f"fewer examples than of others: {listing(few)}" if few else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

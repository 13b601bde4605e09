"""Which classes belong to meta-training, validation and test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from fewshot.errors import InputError, listing, suggestion
from fewshot.untrusted.values import read_json

Side = Literal["train", "valid", "test"]
SIDES: tuple[Side, ...] = get_args(Side)
Classes = dict[Side, tuple[str, ...]]
Found = TypeVar("Found")


@dataclass(frozen=True)
class ClassSplit:
    """How the classes of a pool are split; give one of `fold`, `lists` and `fractions`.

    With none of them, the first published fold of the source is taken where it has a
    `splits.json`, else the fractions 0.5 / 0.2 / 0.3.

    Args:
        fold: a fold of the source's `splits.json`, such as '01' (1 finds it too: YAML reads 01 so).
        lists: the class names of each side: {train: [...], valid: [...], test: [...]}.
        fractions: shares of the classes for train, valid and test.
        seed: for drawing the classes when `fractions` are used.
    """

    fold: str | int | None = None
    lists: dict[str, list[str]] | None = None
    fractions: tuple[float, float, float] | None = None
    seed: int = 0


def split_classes(split: ClassSplit, classes: Sequence[str], folder: Path | None, source: str) -> Classes:
    """The classes of each side, disjoint; a side may have none.

    Args:
        split: the user's choice.
        classes: all classes of the pool.
        folder: where a `splits.json` may lie.
        source: what to call the data in messages.

    Raises:
        InputError: two choices at once, an unknown fold or side, overlapping sides, no classes at
            all, fractions that are not shares.
    """
    chosen = [name for name in ("fold", "lists", "fractions") if getattr(split, name) is not None]
    if len(chosen) > 1:
        raise InputError(
            "the classes are split in two ways at once",
            where=f"split of {source}",
            got=listing(chosen),
            needed="one of fold, lists, fractions",
        )
    published = _published(folder)
    if split.lists is not None:
        sides = _from_lists(split.lists, source)
    elif split.fold is not None or (split.fractions is None and published):
        sides = _from_fold(split.fold, published, source)
    else:
        sides = _from_fractions(split.fractions or (0.5, 0.2, 0.3), split.seed, classes, source)
    _check_disjoint(sides, source)
    if not any(sides.values()):
        raise InputError(
            "the split names no classes", where=f"split of {source}", needed="classes on one side at least"
        )
    return sides


def _published(folder: Path | None) -> Mapping[str, Mapping[str, list[str]]]:
    def folds(content: Any) -> dict[str, dict[str, list[str]]]:
        found = content["folds"] if content["kind"] == "class" else {}
        for sides in found.values():
            for labels in sides.values():
                if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
                    raise TypeError(f"{str(labels)[:80]} where a list of class names should stand")
        return {fold: dict(sides) for fold, sides in found.items()}

    needed = '{"kind": "class", "folds": {"01": {"train": [...], "valid": [...], "test": [...]}}}'
    return from_splits(folder, folds, needed) or {}


def from_splits(folder: Path | None, pick: Callable[[Any], Found], needed: str) -> Found | None:
    """Something of the `splits.json` that lies beside the data; None where there is none.

    Args:
        folder: where the data lie.
        pick: takes it out of the content.
        needed: what the file should have, for the message.

    Raises:
        InputError: a file that cannot be read, or has another content.
    """
    file = folder / "splits.json" if folder else None
    if file is None or not file.is_file():
        return None
    try:
        return pick(read_json(file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "the file of splits cannot be read", where=file, got=str(error), needed=needed
        ) from error


def _from_fold(
    fold: str | int | None, published: Mapping[str, Mapping[str, list[str]]], source: str
) -> Classes:
    names = list(published) if fold is None else [name for name in published if _same(name, fold)]
    if not names:
        raise InputError(
            f"unknown fold {fold!r}",
            where=f"splits.json of {source}",
            got=f"the folds {listing(published)}" if published else "no published class split",
            needed="a fold that it names",
            fix=suggestion(str(fold), published) if published else "use lists or fractions",
        )
    return _from_lists(published[names[0]], source)


def _same(name: str, fold: str | int) -> bool:
    """Whether `fold` names this fold; as numbers, 1 is '01'."""
    return name == str(fold) or (name.isdigit() and str(fold).isdigit() and int(name) == int(fold))


def _from_lists(lists: Mapping[str, Sequence[str]], source: str) -> Classes:
    unknown = [side for side in lists if side not in SIDES]
    if unknown:
        raise InputError(
            f"unknown side {unknown[0]!r}",
            where=f"split of {source}",
            needed=listing(SIDES),
            fix=suggestion(unknown[0], SIDES),
        )
    return {side: tuple(lists.get(side, ())) for side in SIDES}


def _from_fractions(
    fractions: tuple[float, float, float], seed: int, classes: Sequence[str], source: str
) -> Classes:
    if not (min(fractions) >= 0 and abs(sum(fractions) - 1) <= 1e-6):  # so written, NaN is refused too
        raise InputError(
            "the fractions are not shares of the classes",
            where=f"split of {source}",
            got=listing(fractions),
            needed="three numbers from 0 to 1 that add up to 1",
        )
    order = np.random.default_rng(seed).permutation(len(classes))
    first, second = np.rint(np.cumsum(fractions)[:2] * len(classes)).astype(int)
    parts = np.split(order, [first, second])
    return {side: tuple(classes[i] for i in sorted(part)) for side, part in zip(SIDES, parts, strict=True)}


def _check_disjoint(sides: Classes, source: str) -> None:
    owner: dict[str, Side] = {}
    for side, labels in sides.items():
        for label in labels:
            if label in owner:
                raise InputError(
                    f"the class {label!r} stands on two sides",
                    where=f"split of {source}",
                    got=f"{owner[label]} and {side}",
                    needed="disjoint classes: what is tested must not have been trained on",
                )
            owner[label] = side

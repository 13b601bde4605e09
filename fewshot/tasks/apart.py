"""What a family is drawn from, and whether its sides are apart."""

import contextlib
from typing import Any

from fewshot.data.leaks import LeakReport, find_leaks
from fewshot.data.split import SIDES, Side
from fewshot.errors import InputError
from fewshot.tasks.family import TaskFamily


def leaks_of(family: TaskFamily, texts: bool = True) -> LeakReport:
    """Classes, texts and near-duplicates that two sides of a family share; sides that it lacks are left out.

    Args:
        family: whose sides they are.
        texts: look at texts too, not at the names of classes alone.
    """
    sides = _sides(family)
    names = {side: _names(own, family.differs) for side, own in sides.items()}
    return find_leaks(names, {side: own.pools() if texts else () for side, own in sides.items()})


def _names(side: TaskFamily, differs: str) -> set[str]:
    if differs == "classes":
        return {name.casefold() for names in side.classes().values() for name in names}
    return {pool.name for pool in side.pools()} if differs == "tasks" else set()


def report_of(family: TaskFamily, strict: bool) -> tuple[dict[str, Any], list[str]]:
    """The content of `data.json`, and the leaks in words.

    Raises:
        InputError: a leak, where `strict` refuses it.
    """
    found = leaks_of(family)
    if strict:
        found.refuse()
    return {"sources": sources_of(family), **found.content()}, [str(leak) for leak in found.leaks]


def sources_of(family: TaskFamily) -> list[dict[str, Any]]:
    """What the episodes of a family are drawn from: revision, checksum, sizes, and what cleaning did."""
    found: dict[str, dict[str, Any]] = {}
    for side, own in _sides(family).items():
        for pool in own.pools():
            entry = found.setdefault(
                pool.origin.name,
                {
                    "source": pool.origin.name,
                    "revision": pool.origin.revision,
                    "sha256": pool.origin.sha256,
                    "cleaned": dict(pool.cleaned),
                    "pools": {},
                },
            )
            size = {"classes": len(pool.classes), "examples": len(pool)}
            entry["pools"].setdefault(side, {})[pool.name] = size
    return list(found.values())


def _sides(family: TaskFamily) -> dict[Side, TaskFamily]:
    """The family of each side that there is."""
    found: dict[Side, TaskFamily] = {}
    for side in SIDES:
        with contextlib.suppress(InputError):
            found[side] = family.split(side)
    return found

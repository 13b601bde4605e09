"""Whether runs were tested on the same episodes, and what differs where they were not."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from fewshot.errors import InputError, Whole, listing
from fewshot.report.reading import ReportedRun

SHOWN = 5  # differences


def check_same_episodes(runs: Sequence[ReportedRun]) -> None:
    """Refuses runs whose test episodes differ: their scores say nothing of each other.

    Raises:
        InputError: other episodes, with the lines of the manifests that differ; or a run without a manifest.
    """
    first = runs[0]
    for other in runs[1:]:
        different = list(_differences(first, other))
        if different:
            more = f"\n          and {len(different) - SHOWN} more lines" if len(different) > SHOWN else ""
            raise InputError(
                "the runs were tested on different episodes",
                where=f"manifest.json of {first.name} and {other.name}",
                got="\n          ".join(different[:SHOWN]) + more,
                needed="the same episodes for all runs of a report",
                fix=_again(first, other),
            )


def _again(first: ReportedRun, other: ReportedRun) -> Whole:
    """The commands that test the other run on the episodes of the first."""
    manifest, same = str(first.folder / "manifest.json"), str(other.training / "evaluations" / "same")
    evaluate = ["fewshot", "evaluate", str(other.training), "--manifest", manifest, "--name", "same"]
    report = f"and report {shlex.quote(same)}; or make a report of each"
    return Whole(f"{shlex.join(evaluate)}\n          {report}")


def _differences(first: ReportedRun, other: ReportedRun) -> Iterator[str]:
    """`path: value | value` for all that says which episodes they are."""
    ours, theirs = first.manifest, other.manifest
    if ours is None or theirs is None:
        missing = [run.name for run in (first, other) if run.manifest is None]
        yield f"no manifest.json in {listing(missing)}"
        return
    apart = [[each | {"source": ""} for each in one["episodes"]] for one in (ours, theirs)]
    if apart[0] == apart[1]:  # wherever the data lies, whatever they were drawn by
        return
    for key in ("side", "seed", "repeats"):
        yield from _line(key, ours.get(key, 1), theirs.get(key, 1))
    for one, two in zip(ours["sources"], theirs["sources"], strict=False):
        yield from _line(f"sha256 of {one['name']}", one["sha256"], two["sha256"])
    yield from _line("episodes", len(ours["episodes"]), len(theirs["episodes"]))
    for number, (one, two) in enumerate(zip(ours["episodes"], theirs["episodes"], strict=False)):
        for key in dict.fromkeys([*one, *two]):
            yield from _line(f"episodes[{number}].{key}", *_where(one.get(key), two.get(key)))


def _line(path: str, ours: Any, theirs: Any) -> Iterator[str]:
    if ours != theirs:
        yield f"{path}: {_short(ours)} | {_short(theirs)}"


def _where(ours: Any, theirs: Any) -> tuple[Any, Any]:
    """Of two lists what only one has; where they have the same, in another order, both as they are."""
    if not (isinstance(ours, list) and isinstance(theirs, list)):
        return ours, theirs
    apart = [[each for each in one if each not in two] for one, two in ((ours, theirs), (theirs, ours))]
    return (apart[0], apart[1]) if any(apart) else (ours, theirs)


def _short(value: Any) -> str:
    return listing(value, 3) if isinstance(value, list) else str(value)

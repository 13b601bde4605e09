"""The tables of the rivals: one for each number of ways and shots, with differences on the same tasks."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.readme import table_command
from benchmarks.versus.rivals import OURS, RIVALS
from fewshot.metrics.intervals import mean_interval

Row = dict[str, Any]
HEAD = (
    "| | accuracy | recall | F1 | fewshot is better by | s to learn | times ours | peak memory | on disk |"
    "\n| --- | --: | --: | --: | --: | --: | --: | --: | --: |"
)


def load(folder: Path) -> list[Row]:
    """All cells of a folder, in the order of the table."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*way-*.json"))]
    names = list(RIVALS)
    return sorted(found, key=lambda row: (row["way"], row["shot"], names.index(row["rival"]), row["problem"]))


def markdown(rows: Sequence[Row]) -> str:
    """A table for each number of ways and shots, over data sets that the same rivals were measured on."""
    groups: dict[tuple[int, int, frozenset[str]], list[Row]] = {}
    for row in rows:
        rivals = frozenset(other["rival"] for other in rows if other["problem"] == row["problem"])
        groups.setdefault((row["way"], row["shot"], rivals), []).append(row)
    parts = [part for own in groups.values() for part in (_title(own), "\n".join([HEAD, *_lines(own)]))]
    return "\n\n".join([*parts, note(rows)])


def _title(rows: Sequence[Row]) -> str:
    sources = list(dict.fromkeys(row["problem"].split("-")[0] for row in rows))
    tasks = "one task" if rows[0]["tasks"] == 1 else f"{rows[0]['tasks']} tasks each"
    return f"*{rows[0]['way']}-way {rows[0]['shot']}-shot*, {tasks} of {', '.join(sources)}"


def _lines(rows: Sequence[Row]) -> list[str]:
    by_rival = {name: [r for r in rows if r["rival"] == name] for name in RIVALS}
    ours = by_rival[OURS]
    return [_line(own, ours) for own in by_rival.values() if own]


def _line(rows: Sequence[Row], ours: Sequence[Row]) -> str:
    # the median: on a machine that does other things too, some tasks wait
    seconds, fastest = (
        median(second for row in own for second in row["fit_seconds"]) if own else 0.0 for own in (rows, ours)
    )
    compared = ours and rows[0]["rival"] != OURS
    cells = [
        rows[0]["about"],
        _accuracy(rows),
        *(f"{100 * mean(row[name]['mean'] for row in rows):.1f}" for name in ("recall", "f1")),
        difference(ours, rows) if compared else "",
        f"{seconds:.3f}",
        f"{seconds / fastest:.{int(seconds < 10 * fastest)}f}" if compared else "",
        f"{max(row['peak_bytes'] for row in rows) / 2**20:,.0f} MiB",
        f"{max(row['bytes'] for row in rows) / 2**20:,.2f} MiB",
    ]
    return f"| {' | '.join(cells)} |"


def _accuracy(rows: Sequence[Row]) -> str:
    values = [value for row in rows for value in row["accuracies"]]
    return with_half(values) if len(values) > 1 else f"{100 * values[0]:.1f}"


def with_half(values: Sequence[float], sign: str = "") -> str:
    """The mean with half of its 95% interval, in points."""
    middle, _, low, high = mean_interval(list(values))
    return f"{100 * middle:{sign}.1f} ± {100 * (high - low) / 2:.1f}"


def difference(ours: Sequence[Row], theirs: Sequence[Row]) -> str:
    """The mean of the differences on the same tasks with half of its 95% interval, in points.

    Only over problems that both were measured on.
    """
    by_problem = {row["problem"]: row["accuracies"] for row in ours}
    pairs = [
        one - two
        for row in theirs
        if row["problem"] in by_problem
        for one, two in zip(by_problem[row["problem"]], row["accuracies"], strict=True)
    ]
    if not pairs:
        return ""
    return with_half(pairs, "+") if len(pairs) > 1 else f"{100 * pairs[0]:+.1f}"


def note(rows: Sequence[Row]) -> str:
    """What was measured, on which machine."""
    found = [row["machine"] for row in rows]
    machines = {f"{m['processor']} ({m['instructions']}), {m['threads']} threads" for m in found}
    return (
        "All on MiniLM, on the same tasks, of test classes of the first published fold; of these the adapter "
        "has seen texts without labels, in clusters. Intervals are over tasks. Seconds, the median: from "
        "examples to a classifier that answers, without loading MiniLM; on disk is what a task needs beside "
        "MiniLM (SetFit changes it, so it keeps all of it). "
        f"{'; '.join(sorted(machines))}; commit {', '.join(sorted({str(row['commit']) for row in rows}))}."
    )


if __name__ == "__main__":
    table_command("versus", __doc__, load, markdown)

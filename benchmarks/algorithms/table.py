"""The table of the cells: on the console, and in the README.

`python -m benchmarks.algorithms.table [DIR] [README.md]` prints it as Markdown, or writes it between the
README's marks.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.algorithms.members import MEMBERS
from benchmarks.readme import table_command
from fewshot.errors import InputError
from fewshot.metrics.intervals import mean_interval

MARK = "algorithms"
Cell = dict[str, Any]


def load(folder: Path) -> list[Cell]:
    """The cells of a folder, in the order of the members.

    Raises:
        InputError: none there, or cells that were not measured alike.
    """
    cells: list[Cell] = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.json"))]
    if not cells:
        raise InputError("there are no results", where=folder, needed="what benchmarks.algorithms writes")
    if len({(cell["quick"], cell["episodes"], cell["seed"]) for cell in cells}) > 1:
        raise InputError(
            "the results were not measured alike",
            where=folder,
            got="quick and full results, or other numbers of episodes",
            needed="a folder for each",
        )
    order = list(MEMBERS)
    return sorted(cells, key=lambda c: (c["data"], c["shot"], order.index(c["member"])))


def by_problem(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """The cells of each data set and shot."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(f"{cell['data']}, {cell['shot']}-shot", []).append(cell)
    return found


def best_baseline(cells: Sequence[Cell]) -> Cell | None:
    """The member without meta-training that has the highest accuracy."""
    scored = [cell for cell in cells if not cell["trained"] and "error" not in cell]
    return max(scored, key=lambda cell: float(cell["accuracy"]["mean"]), default=None)


def rows(cells: Sequence[Cell]) -> list[list[str]]:
    """A problem's table, the head first."""
    best = best_baseline(cells)
    over = "over the best baseline" if best is None else f"over {best['member']}"
    head = ["member", "accuracy", "recall", "F1", over, "before", "s a task", "parameters", "trained, s"]
    return [head, *(_row(cell, best) for cell in cells)]


def _row(cell: Cell, best: Cell | None) -> list[str]:
    if "error" in cell:
        return [cell["member"], *["fails"] * 3, "", "", "", "", ""]
    return [
        cell["member"],
        *(_with_interval(cell[name]["mean"], cell[name]["ci95"]) for name in ("accuracy", "recall", "f1")),
        "" if best is None or cell is best else _difference(cell, best),
        f"{100 * cell['before']['accuracy']:.1f}",
        f"{cell['seconds_per_task']:.3f}",
        f"{cell['trainable_parameters']:,}",
        f"{cell['training_seconds']:.0f}" if cell["trained"] else "",
    ]


def _with_interval(mean: float, limits: Sequence[float]) -> str:
    return f"{100 * mean:.1f} ± {50 * (limits[1] - limits[0]):.1f}"


def _difference(cell: Cell, best: Cell) -> str:
    """Of the accuracies, task by task."""
    pairs = zip(cell["accuracies"], best["accuracies"], strict=True)
    mean, _, low, high = mean_interval([ours - theirs for ours, theirs in pairs])
    return f"{100 * mean:+.1f} ± {50 * (high - low):.1f}"


def console_tables(cells: Sequence[Cell]) -> list[Table]:
    """One table a problem."""
    tables = []
    for name, own in by_problem(cells).items():
        smoke = "smoke run, not to be quoted: " if own[0]["quick"] else ""
        table = Table(title=f"{smoke}{name}, {own[0]['episodes']} test episodes")
        head, *body = rows(own)
        for column in head:
            table.add_column(column, justify="left" if column == "member" else "right")
        for line in body:
            table.add_row(*line)
        tables.append(table)
    return tables


def markdown(cells: Sequence[Cell]) -> str:
    """All problems as one Markdown text, with what they were measured on."""
    parts = []
    for name, own in by_problem(cells).items():
        head, *body = rows(own)
        lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
        parts += [f"**{name}**", "\n".join("| " + " | ".join(line) + " |" for line in lines)]
    return "\n\n".join([*parts, _note(cells)])


def _note(cells: Sequence[Cell]) -> str:
    first = cells[0]
    commits = ", ".join(sorted({str(cell["commit"]) for cell in cells}))
    steps = "; ".join(
        f"{name}: {max(cell['outer_steps'] for cell in own)} outer steps"
        for name, own in by_problem(cells).items()
    )
    where = first["machine"]
    return (
        f"{first['episodes']} test episodes, the same for all, seed {first['seed']}, 5-way, 5 queries a"
        " class;"
        f" ± is half of the 95% interval over tasks, in the column of differences that of the paired ones."
        f" {steps}. Parameters: what meta-training learns, or a baseline for each task."
        f" {where['gpu'] or where['processor']}, {where['threads']} thread(s); commit {commits}."
    )


if __name__ == "__main__":
    table_command(MARK, __doc__, load, markdown)

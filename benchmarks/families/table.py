"""The rows of the families: on the console, and in the README.

`python -m benchmarks.families.table [DIR] [README.md]` prints them as Markdown, or writes them between the
README's marks.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.families.cases import cases
from benchmarks.readme import table_command
from fewshot.errors import InputError

MARK = "families"
HEAD = (
    "family", "data", "load, s", "episodes/s", "classes", "texts", "leaks", "before", "after", "AUROC",
)  # fmt: skip
Row = dict[str, Any]


def load(folder: Path) -> list[Row]:
    """The rows of a folder, in the order of the cases.

    Raises:
        InputError: none there.
    """
    order = [(case.family, list(case.data)) for case in cases()]
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    if not rows:
        raise InputError("there are no results", where=folder, needed="what benchmarks.families writes")
    return sorted(rows, key=lambda row: order.index((row["family"], row["data"])))


def cells(row: Row) -> list[str]:
    """A line of the table; leaks are the most between two sides: classes, texts, near-duplicates."""
    return [
        row["family"],
        ", ".join(row["data"]) or "(grammar)",
        f"{row['seconds_to_load']:.1f}",
        f"{row['episodes_per_second']:,.0f}",
        str(row["classes"]) if row["classes"] else "texts",
        f"{row['examples']:,}",
        " / ".join(str(row["leaks"][kind]) for kind in ("class", "text", "near-duplicate")),
        *_percents(row),
    ]


def _percents(row: Row) -> list[str]:
    if "accuracy" not in row:
        return ["", "", ""]  # outputs are to be written: no model here does
    auroc = row["auroc"]
    values = [row["before"], row["accuracy"]["mean"], *([auroc["mean"]] if auroc else [])]
    return [f"{100 * value:.1f}" for value in values] + ([] if auroc else [""])


def console_table(rows: Sequence[Row]) -> Table:
    """For the console."""
    smoke = "a smoke run: " if any(row["quick"] for row in rows) else ""
    made = Table(title=f"{smoke}every family on its data, a few outer steps (no result about methods)")
    for number, column in enumerate(HEAD):
        made.add_column(column, justify="left" if number < 2 else "right")
    for row in rows:
        made.add_row(*cells(row))
    return made


def markdown(rows: Sequence[Row]) -> str:
    """For the README, with what the rows were measured on."""
    lines = [HEAD, ["---"] * 2 + ["--:"] * (len(HEAD) - 2), *map(cells, rows)]
    trained = next(row for row in rows if "accuracy" in row)
    where, commits = trained["machine"], ", ".join(sorted({str(row["commit"]) for row in rows}))
    note = (
        f"ProtoMAML on MiniLM, {trained['outer_steps']} outer steps, {trained['episodes']} test episodes:"
        " a row shows that a family works from the file to the score, and is no result about a method."
        " Leaks: classes, texts and near-duplicates that two sides share, the most of any two; so they"
        " were published. Loading found the tables that `datasets` keeps."
        f" {where['processor']} ({where['instructions']}), {where['threads']} thread(s); commit {commits}."
    )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{note}"


if __name__ == "__main__":
    table_command(MARK, __doc__, load, markdown)

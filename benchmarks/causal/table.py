"""The table of language models: exact matches, answer losses, and differences on the same episodes."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.causal.blocks import SPECIAL
from benchmarks.causal.methods import METHODS
from benchmarks.causal.problems import PROBLEMS, problem_of
from benchmarks.readme import table_command
from fewshot.metrics.intervals import mean_interval

Row = dict[str, Any]
REFERENCE = "maml"
BYTES = 256 + SPECIAL
HEADER = "| method | right | F1 | before | answer loss | meta-learned is better by | s a task | training, s |"
RULE = "| --- | --: | --: | --: | --: | --: | --: | --: |"


def load(folder: Path) -> list[Row]:
    """All cells of a folder, in the order of the table."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    problems, methods = list(PROBLEMS), list(METHODS)
    return sorted(found, key=lambda row: (problems.index(row["problem"]), methods.index(row["method"])))


def markdown(rows: Sequence[Row]) -> str:
    """A table for every problem, with what it was measured on."""
    parts = []
    for name, group in groupby(rows, key=lambda row: str(row["problem"])):
        own = list(group)
        about = problem_of(name, own[0]["quick"])
        title = f"*{name}* ({about.kind}: {about.about}{_sizes(own)})"
        parts += [title, "\n".join([HEADER, RULE, *(_line(row, _reference(row, own)) for row in own)])]
    return "\n\n".join([*parts, note(rows)])


def _sizes(rows: Sequence[Row]) -> str:
    """How large the models of a problem are: several may stand in one table."""
    found = sorted({row["backbone"]["parameters"] for row in rows if "parameters" in row["backbone"]})
    return "".join(f"; {number / 1e6:.1f} M parameters" for number in found)


def _reference(row: Row, rows: Sequence[Row]) -> Row | None:
    """What a row is compared with: of the same language model, asked in the same way."""
    same = (each for each in rows if _setting(each) == _setting(row))
    return next((each for each in same if each["method"] == REFERENCE), None)


def _setting(row: Row) -> tuple[Any, Any]:
    return row["backbone"], row.get("asked")


def _line(row: Row, reference: Row | None) -> str:
    accuracy = row["accuracy"]
    cells = [
        row["about"],
        f"{100 * accuracy['mean']:.1f} ± {100 * half(accuracy['ci95']):.1f}",
        f"{100 * row['f1']['mean']:.1f}",
        f"{100 * row['before']:.1f}",
        f"{row['answer_loss']:.2f}",
        "" if reference in (None, row) else difference(reference, row),
        f"{row['seconds_per_task']:.2f}",
        f"{row['training_seconds']:.0f}" if row["training_seconds"] else "",
    ]
    return f"| {' | '.join(cells)} |"


def half(interval: Sequence[float]) -> float:
    """Half of an interval's width."""
    low, high = interval
    return (high - low) / 2


def difference(ours: Row, theirs: Row) -> str:
    """The mean of the differences on the same episodes with half of its 95% interval, in points."""
    pairs = zip(ours["accuracies"], theirs["accuracies"], strict=True)
    mean, _, low, high = mean_interval([a - b for a, b in pairs])
    return f"{100 * mean:+.1f} ± {100 * half((low, high)):.1f}"


def note(rows: Sequence[Row]) -> str:
    """Which model, how many episodes, which machine."""
    models = {json.dumps(row["backbone"], sort_keys=True): row["backbone"] for row in rows}
    said = [
        f"{each['name']}"
        + (f", {each['parameters'] / 1e6:.1f} M parameters, " if "parameters" in each else "")
        + (f"{each['held_out_loss']:.2f} {_unit(each)} of held-out text" if "held_out_loss" in each else "")
        for each in models.values()
    ]
    machines = sorted({f"{row['machine']['processor']} ({row['machine']['instructions']})" for row in rows})
    return (
        f"Model: {'; '.join(said)}. {rows[0]['episodes']} test episodes, seed {rows[0]['seed']}, the same "
        f"for all methods; intervals are over tasks. Right: token by token to its end, or the right class. "
        f"{'; '.join(machines)}; commit {', '.join(sorted({str(row['commit']) for row in rows}))}."
    )


def _unit(backbone: Row) -> str:
    """What the loss is of: a vocabulary of no more than the bytes has no other tokens."""
    first = backbone.get("start", backbone)  # what goes on keeps the tokens of what it goes on from
    return "nats a byte" if first["recipe"]["vocabulary"] <= BYTES else "nats a token"


if __name__ == "__main__":
    table_command("causal", __doc__, load, markdown)

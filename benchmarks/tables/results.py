"""What the tables ask of their cells: those of a method, their means, differences of the same episodes."""

from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import Any

from fewshot.metrics.intervals import mean_interval

Cell = dict[str, Any]  # as its file has it
Key = tuple[str, int]  # data set and shot
BASELINES = ("prototypes", "ridge")


def lines(rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown, the first one the head."""
    head, *body = rows
    ruled = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(row) + " |" for row in ruled)


def of(cells: Sequence[Cell], method: str, key: Key, seed: int | None = 0) -> list[Cell]:
    """The cells of a method, one a fold, or one a seed and fold."""
    found = [c for c in cells if c["method"] == method and (c["dataset"], c["shot"]) == key]
    return sorted((c for c in found if seed in (None, c["seed"])), key=lambda c: (c["fold"], c["seed"]))


def accuracies(cells: Sequence[Cell]) -> list[float]:
    """Of every task, in points."""
    return [100 * float(word) for cell in cells for word in cell["accuracies"].split()]


def with_half(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half of its 95% interval."""
    centre, _, low, high = mean_interval(values)
    return centre, (high - low) / 2


def paired(ours: Sequence[Cell], theirs: Sequence[Cell]) -> tuple[float, float]:
    """Mean difference of the same episodes and half its interval, in points.

    Where one was measured on fewer episodes, these are the first of the other's.
    """
    values: list[float] = []
    for mine, other in zip(ours, theirs, strict=True):
        values += [a - b for a, b in zip(accuracies([mine]), accuracies([other]), strict=False)]
    return with_half(values)


def mean_text(found: Sequence[Cell]) -> str:
    """Mean over folds, half its interval over tasks, standard deviation over folds."""
    _, half = with_half(accuracies(found))
    folds = [100 * cell["accuracy"]["mean"] for cell in found]
    spread = f", {stdev(folds):.1f}" if len(folds) > 1 else ""
    return f"{mean(folds):.2f} ± {half:.2f}{spread}"


def said(cells: Sequence[Cell]) -> Callable[[Callable[[Cell], object]], str]:
    """The values of some property, each once."""
    return lambda pick: ", ".join(sorted({str(pick(cell)) for cell in cells}))


def machine_note(cells: Sequence[Cell]) -> str:
    """Where the cells come from."""
    values = said(cells)
    return (
        f"{values(lambda c: c['machine']['processor'])}"
        f" ({values(lambda c: c['machine']['instructions'])}),"
        f" {values(lambda c: c['machine']['threads'])} thread(s);"
        f" commit {values(lambda c: c['commit'])}."
    )

"""Trained on one kind of corpus, tested on another: a matrix."""

from collections.abc import Sequence

from benchmarks.tables.methods import CHOSEN, METHODS
from benchmarks.tables.results import (
    BASELINES,
    Cell,
    accuracies,
    lines,
    machine_note,
    paired,
    with_half,
)

BETWEEN = "-to-"  # in the name of a cell's data set: 'intents-to-news20'


def markdown(table: str, cells: Sequence[Cell]) -> str:
    """A row a kind that was trained on, a column a data set that was tested on; baselines above."""
    trained, tested = (_named(cells, place) for place in (0, 1))
    head = ["trained on", *tested]
    rows = [
        [f"nothing: {METHODS[name].about}", *(_text(_find(cells, name, None, each)) for each in tested)]
        for name in BASELINES
    ]
    for kind in trained:
        found = [_find(cells, CHOSEN, kind, each) for each in tested]
        rows.append([f"**{kind}**", *(_text(own) for own in found)])
        for name in BASELINES:
            theirs = [_find(cells, name, None, each) for each in tested]
            gains = [_gain(x, y) for x, y in zip(found, theirs, strict=True)]
            rows.append([f"{kind}, over {METHODS[name].about}", *gains])
    first = cells[0]
    note = (
        f"{first['way']} ways, {first['shot']} shot, {first['episodes']} test episodes of the first fold:"
        " mean accuracy ± half of its 95% interval; differences of the same episodes. The recipe without"
        f" unlabelled texts, trained on all data sets of a kind. {machine_note(cells)}"
    )
    return f"{lines([head, *rows])}\n\n{note}"


def _named(cells: Sequence[Cell], place: int) -> list[str]:
    """What was trained on (0), or tested on (1), by name."""
    names = (cell["dataset"].split(BETWEEN)[place] for cell in cells if cell["method"] == CHOSEN)
    return sorted(dict.fromkeys(names))


def _find(cells: Sequence[Cell], method: str, kind: str | None, tested: str) -> list[Cell]:
    """The cell of a method; of a baseline, that of any kind."""
    for cell in cells:
        trained_on, tested_on = cell["dataset"].split(BETWEEN)
        if cell["method"] == method and tested_on == tested and kind in (None, trained_on):
            return [cell]
    return []


def _text(found: Sequence[Cell]) -> str:
    return "{:.2f} ± {:.2f}".format(*with_half(accuracies(found))) if found else ""


def _gain(ours: Sequence[Cell], theirs: Sequence[Cell]) -> str:
    return "{:+.2f} ± {:.2f}".format(*paired(ours, theirs)) if ours and theirs else ""

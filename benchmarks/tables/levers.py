"""Changes of the recipe, one at a time, on validation episodes."""

from collections.abc import Sequence

from benchmarks.tables.methods import CHOSEN, EVERY
from benchmarks.tables.results import Cell, lines, machine_note, of, paired


def markdown(table: str, cells: Sequence[Cell]) -> str:
    """A row a change, a column a data set and number of shots: gains over the recipe, paired."""
    keys = sorted({(c["dataset"], c["shot"]) for c in cells})
    rows = [["the recipe, with this changed", *(f"{dataset}, {shot}-shot" for dataset, shot in keys)]]
    for name, method in EVERY.items():
        if any(cell["method"] == name for cell in cells):
            rows.append([method.about, *(_text(cells, name, key) for key in keys)])
    note = (
        f"{cells[0]['episodes']} validation episodes of fold {cells[0]['fold']}. The recipe: its accuracy;"
        f" all else: difference to it on the same episodes ± half of its 95% interval. {machine_note(cells)}"
    )
    return f"{lines(rows)}\n\n{note}"


def _text(cells: Sequence[Cell], method: str, key: tuple[str, int]) -> str:
    ours, recipe = of(cells, method, key), of(cells, CHOSEN, key)
    if not ours:
        return ""
    if method == CHOSEN or not recipe:
        return f"{100 * ours[0]['accuracy']['mean']:.2f}"
    return "{:+.2f} ± {:.2f}".format(*paired(ours, recipe))

"""Data efficiency: accuracy by the number of support examples, as a table and as a picture."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables.methods import CHOSEN, METHODS
from benchmarks.tables.results import Cell, accuracies, lines, machine_note, of, paired, with_half


def markdown(table: str, cells: Sequence[Cell]) -> str:
    """A row a method, a column a number of shots; below, the recipe against each other method."""
    dataset, numbers, methods = _axes(cells)
    head = [dataset, *(f"{shot}-shot" for shot in numbers)]
    rows = [[METHODS[name].about, *_row(cells, dataset, name, numbers)] for name in methods]
    rows += [
        [f"the recipe over {METHODS[name].about}", *_gains(cells, dataset, name, numbers)]
        for name in methods
        if name != CHOSEN
    ]
    few = {METHODS[c["method"]].about: c["episodes"] for c in cells if c["episodes"] < _most(cells)}
    fewer = "".join(f" ({about}: the first {count})" for about, count in few.items())
    note = (
        f"Fold {cells[0]['fold']}, 5 ways, {_most(cells)} test episodes{fewer} with 5 queries a class: mean"
        " accuracy ± half of its 95% interval; differences of the same episodes. One training serves all"
        f" numbers of shots. {machine_note(cells)}"
    )
    return f"{lines([head, *rows])}\n\n{note}"


def draw(path: Path, cells: Sequence[Cell]) -> None:
    """One line a method with its interval, shots on a logarithmic axis, as SVG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    dataset, numbers, methods = _axes(cells)
    figure, panel = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for name in methods:
        found = [(shot, of(cells, name, (dataset, shot))) for shot in numbers]
        points = [(shot, *with_half(accuracies(own))) for shot, own in found if own]
        places, centres, halves = zip(*points, strict=True)
        width = 2.5 if name == CHOSEN else 1.2
        label = METHODS[name].about
        panel.errorbar(places, centres, halves, fmt="o-", capsize=2, label=label, linewidth=width)
    panel.set_xscale("log", base=2)
    panel.set_xticks(numbers, [str(shot) for shot in numbers])
    panel.set(xlabel="support examples a class", ylabel="accuracy, %", title=f"{dataset}, 5 ways")
    panel.grid(alpha=0.3)
    panel.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _most(cells: Sequence[Cell]) -> int:
    return max(int(cell["episodes"]) for cell in cells)


def _axes(cells: Sequence[Cell]) -> tuple[str, list[int], list[str]]:
    """The data set, numbers of shots, and methods."""
    methods = [name for name in METHODS if any(cell["method"] == name for cell in cells)]
    return cells[0]["dataset"], sorted({cell["shot"] for cell in cells}), methods


def _row(cells: Sequence[Cell], dataset: str, method: str, numbers: Sequence[int]) -> list[str]:
    found = [of(cells, method, (dataset, shot)) for shot in numbers]
    return ["{:.2f} ± {:.2f}".format(*with_half(accuracies(own))) if own else "" for own in found]


def _gains(cells: Sequence[Cell], dataset: str, method: str, numbers: Sequence[int]) -> list[str]:
    pairs = [(of(cells, CHOSEN, (dataset, n)), of(cells, method, (dataset, n))) for n in numbers]
    return [
        "{:+.2f} ± {:.2f}".format(*paired(ours, theirs)) if ours and theirs else "" for ours, theirs in pairs
    ]

"""The layout of tables whose tasks are fixed: a row a task and number of shots, a column a method."""

from collections.abc import Sequence
from statistics import mean

from benchmarks.tables.methods import CHOSEN, METHODS
from benchmarks.tables.published import DIFFERS, PUBLISHED
from benchmarks.tables.results import BASELINES, Cell, Key, lines, machine_note, of, with_half


def markdown(table: str, cells: Sequence[Cell]) -> str:
    """Every task, the mean over tasks by shots, differences of these means, and what differs."""
    methods = [name for name in METHODS if any(cell["method"] == name for cell in cells)]
    keys = sorted({(c["dataset"], c["shot"]) for c in cells}, key=lambda key: (key[1], key[0]))
    head = ["task, shots", *(METHODS[name].about for name in methods), *_published(table)]
    rows = [head, *([f"{key[0]}, {key[1]}", *_row(table, cells, methods, key)] for key in keys)]
    parts = [lines(rows), _means(cells, methods), DIFFERS.get(table, ""), _note(cells)]
    return "\n\n".join(part for part in parts if part)


def _published(table: str) -> list[str]:
    return [row.title for row in PUBLISHED.get(table, ())]


def _row(table: str, cells: Sequence[Cell], methods: Sequence[str], key: Key) -> list[str]:
    """Mean and standard deviation over the task's training sets, and published figures."""
    found = [of(cells, method, key) for method in methods]
    rows = PUBLISHED.get(table, ())
    return [
        *(_spread(own[0]) if own else "" for own in found),
        *(f"{row.figures[key]:.1f}" if key in row.figures else "" for row in rows),
    ]


def _spread(cell: Cell) -> str:
    std = f" ± {100 * cell['accuracy']['std']:.1f}" if cell["episodes"] > 1 else ""
    return f"{100 * cell['accuracy']['mean']:.1f}{std}"


def _means(cells: Sequence[Cell], methods: Sequence[str]) -> str:
    """Over the tasks that all methods were measured on, one row a number of shots."""
    head = ["mean over tasks", *(METHODS[name].about for name in methods)]
    head += [f"the recipe over {METHODS[name].about}" for name in BASELINES]
    rows = [head]
    for shot in sorted({cell["shot"] for cell in cells}):
        by_method = {name: _by_task(cells, name, shot) for name in methods}
        common = set.intersection(*(set(found) for found in by_method.values()))
        if common:
            rows.append([_count(shot, common), *_centres(by_method, common), *_gains(by_method, common)])
    return lines(rows)


def _by_task(cells: Sequence[Cell], method: str, shot: int) -> dict[str, float]:
    own = [c for c in cells if (c["method"], c["shot"], c["seed"]) == (method, shot, 0)]
    return {cell["dataset"]: 100 * cell["accuracy"]["mean"] for cell in own}


def _count(shot: int, common: set[str]) -> str:
    return f"{shot} shots, {len(common)} tasks"


def _centres(by_method: dict[str, dict[str, float]], common: set[str]) -> list[str]:
    return [f"{mean(found[task] for task in common):.1f}" for found in by_method.values()]


def _gains(by_method: dict[str, dict[str, float]], common: set[str]) -> list[str]:
    """The recipe over each baseline, paired by task."""
    texts = []
    for name in BASELINES:
        both = by_method.get(CHOSEN), by_method.get(name)
        if both[0] is None or both[1] is None:
            texts.append("")
            continue
        centre, half = with_half([both[0][task] - both[1][task] for task in sorted(common)])
        texts.append(f"{centre:+.1f} ± {half:.1f}")
    return texts


def _note(cells: Sequence[Cell]) -> str:
    sets = {cell["episodes"] for cell in cells}
    spread = " ± standard deviation over a task's published training sets" if max(sets) > 1 else ""
    return (
        f"Accuracy{spread}; below, the mean over tasks, and differences ± half of their 95% interval over"
        f" tasks. {machine_note(cells)}"
    )

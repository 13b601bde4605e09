"""The tables from their cells, as Markdown: in the results, and between the marks of the README."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.readme import into_readme
from benchmarks.tables.methods import CHOSEN, METHODS
from benchmarks.tables.published import DIFFERS, PUBLISHED, UNVERIFIED
from fewshot.errors import InputError
from fewshot.files import write_text
from fewshot.metrics.intervals import mean_interval

Cell = dict[str, Any]
Key = tuple[str, int]  # data set and shot
BASELINES = ("prototypes", "ridge")


def render(table: str, folder: Path, readme: Path | None) -> str:
    """The Markdown of a table, also written beside its cells and, where one is given, into the README.

    Raises:
        InputError: no cells there, quick ones, or cells that were not measured alike.
    """
    cells = load(table, folder)
    text = markdown(table, cells)
    write_text(folder.parent / f"{table}.md", text + "\n")
    if readme:
        into_readme(readme, f"tables {table}", text, f"python -m benchmarks.tables {table} --render")
    return text


def load(table: str, folder: Path) -> list[Cell]:
    """The cells of a folder."""
    cells: list[Cell] = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.json"))]
    if not cells:
        raise InputError("there are no results", where=folder, needed=f"python -m benchmarks.tables {table}")
    if any(cell["quick"] for cell in cells):
        raise InputError("a quick result enters no table", where=folder, needed="results without --quick")
    return cells


def markdown(table: str, cells: Sequence[Cell]) -> str:
    """Published next to ours, the differences, what else was measured on one fold, and what differs."""
    keys = sorted({(c["dataset"], c["shot"]) for c in cells}, key=lambda key: (_place(table, key[0]), key[1]))
    parts = [_overall(table, cells, keys), _differences(table, cells, keys), _one_fold(cells, keys)]
    return "\n\n".join([*parts, DIFFERS.get(table, ""), _note(cells)]).replace("\n\n\n\n", "\n\n")


def _place(table: str, dataset: str) -> int:
    """The order of the published rows."""
    known = [name for name, _ in PUBLISHED[table][0].figures] if table in PUBLISHED else []
    return known.index(dataset) if dataset in known else len(known)


def _head(keys: Sequence[Key]) -> list[str]:
    return [f"{dataset}, {shot}-shot" for dataset, shot in keys]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    ruled = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(row) + " |" for row in ruled)


def _of(cells: Sequence[Cell], method: str, key: Key, seed: int | None = 0) -> list[Cell]:
    """The cells of a method, one a fold, or one a seed and fold."""
    found = [c for c in cells if c["method"] == method and (c["dataset"], c["shot"]) == key]
    return sorted((c for c in found if seed in (None, c["seed"])), key=lambda c: (c["fold"], c["seed"]))


def _folds(cells: Sequence[Cell], key: Key) -> int:
    return max(len(_of(cells, method, key)) for method in BASELINES)


def _overall(table: str, cells: Sequence[Cell], keys: Sequence[Key]) -> str:
    """Published figures and ours, over all folds."""
    rows = [["", *_head(keys)]]
    for row in PUBLISHED.get(table, ()):
        mark = "" if row.checked else f", {UNVERIFIED}"
        figures = [f"{row.figures[key]:.1f}" if key in row.figures else "" for key in keys]
        rows.append([f"{row.method}{mark}", *figures])
    for method in (*BASELINES, CHOSEN):
        rows.append([f"**{METHODS[method].about}**", *(_mean_text(cells, method, key) for key in keys)])
    return _lines(rows)


def _mean_text(cells: Sequence[Cell], method: str, key: Key) -> str:
    """Mean over folds, half its interval over tasks, standard deviation over folds."""
    own = _of(cells, method, key)
    if not own or len(own) < _folds(cells, key):
        return f"{len(own)} of {_folds(cells, key)} folds" if own else ""
    tasks = [value for cell in own for value in _accuracies(cell)]
    _, _, low, high = mean_interval(tasks)
    folds = [100 * cell["accuracy"]["mean"] for cell in own]
    spread = f", {stdev(folds):.1f}" if len(folds) > 1 else ""
    return f"{mean(folds):.2f} ± {50 * (high - low):.2f}{spread}"


def _accuracies(cell: Cell) -> list[float]:
    return [float(word) for word in cell["accuracies"].split()]


def _paired(ours: Sequence[Cell], theirs: Sequence[Cell]) -> tuple[float, float]:
    """Mean difference of the same episodes and half its interval, in points."""
    pairs = zip(ours, theirs, strict=True)
    values = [a - b for x, y in pairs for a, b in zip(_accuracies(x), _accuracies(y), strict=True)]
    centre, _, low, high = mean_interval(values)
    return 100 * centre, 50 * (high - low)


def _differences(table: str, cells: Sequence[Cell], keys: Sequence[Key]) -> str:
    """The recipe against the best published figure, and against the baselines on the same episodes."""
    rows = [["the recipe against", *_head(keys)]]
    if table in PUBLISHED:
        rows.append(["the best published", *(_over_published(table, cells, key) for key in keys)])
    for method in BASELINES:
        rows.append([f"{METHODS[method].about}, paired", *(_over(cells, method, key) for key in keys)])
        rows.append(
            [f"folds where that interval is above 0: {method}", *(_won(cells, method, key) for key in keys)]
        )
    return _lines(rows)


def _whole(cells: Sequence[Cell], method: str, key: Key) -> bool:
    return len(_of(cells, CHOSEN, key)) == len(_of(cells, method, key)) == _folds(cells, key) > 0


def _over_published(table: str, cells: Sequence[Cell], key: Key) -> str:
    figures = [row.figures[key] for row in PUBLISHED[table] if key in row.figures]
    if not figures or not _whole(cells, CHOSEN, key):
        return ""
    ours = mean(100 * cell["accuracy"]["mean"] for cell in _of(cells, CHOSEN, key))
    return f"{ours - max(figures):+.2f}"


def _over(cells: Sequence[Cell], method: str, key: Key) -> str:
    if not _whole(cells, method, key):
        return ""
    centre, half = _paired(_of(cells, CHOSEN, key), _of(cells, method, key))
    return f"{centre:+.2f} ± {half:.2f}"


def _won(cells: Sequence[Cell], method: str, key: Key) -> str:
    if not _whole(cells, method, key):
        return ""
    folds = zip(_of(cells, CHOSEN, key), _of(cells, method, key), strict=True)
    above = [centre > half for centre, half in (_paired([ours], [theirs]) for ours, theirs in folds)]
    return f"{sum(above)} of {len(above)}"


def _one_fold(cells: Sequence[Cell], keys: Sequence[Key]) -> str:
    """Every method on the first fold, with what it learns and what it took."""
    fold = min(cell["fold"] for cell in cells)
    own = [cell for cell in cells if cell["fold"] == fold]
    rows = [[f"fold {fold}", "validation", *_head(keys), "parameters", "training, s"]]
    for method, about in METHODS.items():
        found = [c for key in keys for c in _of(own, method, key)]
        if found:
            rows.append([about.about, *_fold_row(own, method, keys, found)])
    if any(cell["seed"] for cell in own):
        rows.append(["the recipe: standard deviation over seeds", "", *_seeds(own, keys), "", ""])
    return _lines(rows)


def _fold_row(own: Sequence[Cell], method: str, keys: Sequence[Key], found: Sequence[Cell]) -> list[str]:
    trained = [c["training"] for c in found if c["training"]]
    known = {(c["dataset"]): c["training"]["validation_accuracy"] for c in found if c["training"]}
    seconds = [t["seconds"] for t in trained]
    return [
        " / ".join(f"{100 * value:.1f}" for value in known.values() if value is not None),
        *(_first(_of(own, method, key)) for key in keys),
        f"{found[0]['trainable_parameters']:,}",
        f"{min(seconds):.0f} to {max(seconds):.0f}" if seconds else "",
    ]


def _first(found: Sequence[Cell]) -> str:
    return f"{100 * found[0]['accuracy']['mean']:.1f}" if found else ""


def _seeds(own: Sequence[Cell], keys: Sequence[Key]) -> list[str]:
    found = {key: [100 * c["accuracy"]["mean"] for c in _of(own, CHOSEN, key, seed=None)] for key in keys}
    return [f"{stdev(values):.2f} ({len(values)})" if len(values) > 1 else "" for values in found.values()]


def _note(cells: Sequence[Cell]) -> str:
    first, said = cells[0], _values(cells)
    return (
        f"{first['episodes']} test episodes a fold, seed {first['episodes_seed']}, the same for all methods,"
        " 5 queries a class. Over all folds: mean accuracy ± half of its 95% interval over tasks, standard"
        " deviation over folds. Validation: of the kept step, in the order of the data sets. Training seconds"
        f" are without clustering and validation. {said(lambda c: c['machine']['processor'])}"
        f" ({said(lambda c: c['machine']['instructions'])}),"
        f" {said(lambda c: c['machine']['threads'])} thread(s);"
        f" commit {said(lambda c: c['commit'])}."
    )


def _values(cells: Sequence[Cell]) -> Callable[[Callable[[Cell], object]], str]:
    return lambda pick: ", ".join(sorted({str(pick(cell)) for cell in cells}))

"""The layout of tables over class splits: published next to ours, folds, what was measured on one fold."""

from collections.abc import Sequence
from statistics import mean, stdev

from benchmarks.tables.methods import CHOSEN, METHODS
from benchmarks.tables.published import DIFFERS, PUBLISHED
from benchmarks.tables.results import BASELINES, Cell, Key, lines, machine_note, mean_text, of, paired


def markdown(table: str, cells: Sequence[Cell]) -> str:
    """Published next to ours, the differences, what else was measured on one fold, and what differs."""
    keys = sorted({(c["dataset"], c["shot"]) for c in cells}, key=lambda key: (_place(table, key[0]), key[1]))
    parts = [_overall(table, cells, keys), _differences(table, cells, keys), _one_fold(cells, keys)]
    parts += [_apart(cells, keys), DIFFERS.get(table, ""), _note(cells)]
    return "\n\n".join(part for part in parts if part)


def _place(table: str, dataset: str) -> int:
    """The order of the published rows."""
    known = [name for name, _ in PUBLISHED[table][0].figures] if table in PUBLISHED else []
    return known.index(dataset) if dataset in known else len(known)


def _head(keys: Sequence[Key]) -> list[str]:
    return [f"{dataset}, {shot}-shot" for dataset, shot in keys]


def _folds(cells: Sequence[Cell], key: Key) -> int:
    return max(len(of(cells, method, key)) for method in BASELINES)


def _overall(table: str, cells: Sequence[Cell], keys: Sequence[Key]) -> str:
    """Published figures and ours, over all folds."""
    rows = [["", *_head(keys)]]
    for row in PUBLISHED.get(table, ()):
        figures = [f"{row.figures[key]:.1f}" if key in row.figures else "" for key in keys]
        rows.append([row.title, *figures])
    for method in (*BASELINES, CHOSEN):
        rows.append([f"**{METHODS[method].about}**", *(_over_folds(cells, method, key) for key in keys)])
    return lines(rows)


def _over_folds(cells: Sequence[Cell], method: str, key: Key) -> str:
    own = of(cells, method, key)
    if not own or len(own) < _folds(cells, key):
        return f"{len(own)} of {_folds(cells, key)} folds" if own else ""
    return mean_text(own)


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
    return lines(rows)


def _whole(cells: Sequence[Cell], method: str, key: Key) -> bool:
    return len(of(cells, CHOSEN, key)) == len(of(cells, method, key)) == _folds(cells, key) > 0


def _over_published(table: str, cells: Sequence[Cell], key: Key) -> str:
    figures = [row.figures[key] for row in PUBLISHED[table] if key in row.figures]
    if not figures or not _whole(cells, CHOSEN, key):
        return ""
    ours = mean(100 * cell["accuracy"]["mean"] for cell in of(cells, CHOSEN, key))
    return f"{ours - max(figures):+.2f}"


def _over(cells: Sequence[Cell], method: str, key: Key) -> str:
    if not _whole(cells, method, key):
        return ""
    centre, half = paired(of(cells, CHOSEN, key), of(cells, method, key))
    return f"{centre:+.2f} ± {half:.2f}"


def _won(cells: Sequence[Cell], method: str, key: Key) -> str:
    if not _whole(cells, method, key):
        return ""
    folds = zip(of(cells, CHOSEN, key), of(cells, method, key), strict=True)
    above = [centre > half for centre, half in (paired([ours], [theirs]) for ours, theirs in folds)]
    return f"{sum(above)} of {len(above)}"


def _one_fold(cells: Sequence[Cell], keys: Sequence[Key]) -> str:
    """Every method on the first fold, with what it learns and what it took."""
    fold = min(cell["fold"] for cell in cells)
    own = [cell for cell in cells if cell["fold"] == fold]
    rows = [[f"fold {fold}", "validation", *_head(keys), "parameters", "training, s"]]
    for method, about in METHODS.items():
        if about.apart:
            continue
        found = [c for key in keys for c in of(own, method, key)]
        if found:
            rows.append([about.about, *_fold_row(own, method, keys, found)])
    if any(cell["seed"] for cell in own):
        rows.append(["the recipe: standard deviation over seeds", "", *_seeds(own, keys), "", ""])
    return lines(rows)


def _apart(cells: Sequence[Cell], keys: Sequence[Key]) -> str:
    """What is told more than the others: beside the recipe, over all folds."""
    found = [name for name, method in METHODS.items() if method.apart and _measured(cells, name)]
    if not found:
        return ""
    rows = [["apart", *_head(keys)]]
    for name in (CHOSEN, *found):
        rows.append([METHODS[name].about, *(_over_folds(cells, name, key) for key in keys)])
    return lines(rows)


def _measured(cells: Sequence[Cell], method: str) -> bool:
    return any(cell["method"] == method for cell in cells)


def _fold_row(own: Sequence[Cell], method: str, keys: Sequence[Key], found: Sequence[Cell]) -> list[str]:
    trained = [c["training"] for c in found if c["training"]]
    known = {(c["dataset"]): c["training"]["validation_accuracy"] for c in found if c["training"]}
    seconds = [t["seconds"] for t in trained]
    return [
        " / ".join(f"{100 * value:.1f}" for value in known.values() if value is not None),
        *(_first(of(own, method, key)) for key in keys),
        f"{found[0]['trainable_parameters']:,}",
        f"{min(seconds):.0f} to {max(seconds):.0f}" if seconds else "",
    ]


def _first(found: Sequence[Cell]) -> str:
    return f"{100 * found[0]['accuracy']['mean']:.1f}" if found else ""


def _seeds(own: Sequence[Cell], keys: Sequence[Key]) -> list[str]:
    found = {key: [100 * c["accuracy"]["mean"] for c in of(own, CHOSEN, key, seed=None)] for key in keys}
    return [f"{stdev(values):.2f} ({len(values)})" if len(values) > 1 else "" for values in found.values()]


def _note(cells: Sequence[Cell]) -> str:
    first = cells[0]
    return (
        f"{first['episodes']} test episodes a fold, seed {first['episodes_seed']}, the same for all methods,"
        " 5 queries a class. Over all folds: mean accuracy ± half of its 95% interval over tasks, standard"
        " deviation over folds. Validation: of the kept step, in the order of the data sets. Training seconds"
        f" are without clustering and validation. {machine_note(cells)}"
    )

"""Tables on the console."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from fewshot.comparison import BEFORE
from fewshot.metrics import SCORES

WIDE = 108  # columns; a table that is cut says less than one that is wrapped


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """One evaluation: each score before and after adaptation, in percent."""
    way, shot = (summary[name] if summary[name] is not None else "?" for name in ("way", "shot"))
    table = Table(title=f"{summary['episodes']} test episodes, {way}-way {shot}-shot, seed {summary['seed']}")
    for column in ("score", "before", "after", "95% interval", "std", "worst tenth"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for name in SCORES:
        after = summary[name]
        cells = [summary["before"][name]["mean"], after["mean"]]
        table.add_row(
            name,
            *map(percent, cells),
            interval(after["ci95"]),
            percent(after["std"]),
            percent(after["worst_decile"]),
        )
    if rejection := summary.get("auroc"):
        spread = percent(rejection["std"]), percent(rejection["worst_decile"])
        table.add_row(
            "rejection (AUROC)", "", percent(rejection["mean"]), interval(rejection["ci95"]), *spread
        )
    console.print(table)
    if skipped := summary.get("skipped_steps"):
        console.print(f"{skipped} outer steps were skipped: a loss was not finite; log.jsonl has which")
    if summary["ran"]:
        console.print(summary["ran"], soft_wrap=True, highlight=False, markup=False)


def print_comparison(content: Mapping[str, Any], console: Console) -> None:
    """Methods on the same episodes, in percent with the half width of the 95% interval.

    The differences are to the best baseline, task by task; where there is none, to the reference.
    """
    reference, over = content["reference"], content["best_baseline"] or content["reference"]
    table = Table(title=f"the same {content['episodes']} test episodes, seed {content['seed']}")
    table.add_column("method")
    for column in ("accuracy", "recall", "F1", f"over {over}", "s a task", "parameters"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, own in content["methods"].items():
        if name == reference:
            table.add_row(BEFORE, *_scores(own["before"]), _difference(content, BEFORE))
        cost = f"{own['seconds_per_task']:.3f}", f"{own['trainable_parameters']:,}"
        table.add_row(name, *_scores(own), _difference(content, name), *cost)
    Console(file=console.file, width=max(console.width, WIDE)).print(table)
    for line in _chances(content, over):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _chances(content: Mapping[str, Any], over: str) -> Iterator[str]:
    """A line on each method: tasks won against `over`, and whether that may be chance."""
    against = content["over_best_baseline"] or content["differences"]
    for name, own in against.items():
        found = own["accuracy"]
        won, lost = found["wins"], found["losses"]
        if not content["over_best_baseline"]:  # the reference less the method: the other way round
            won, lost = lost, won
        yield (
            f"{name} against {over}: {won} tasks won, {found['ties']} tied, {lost} lost in accuracy; "
            f"p = {found['p_holm']:.2g} (sign permutations, Holm's correction for {len(against)})"
        )


def _scores(own: Mapping[str, Any]) -> list[str]:
    return [
        f"{percent(own[name]['mean'])} ± {_half(own[name]['ci95'])}" for name in ("accuracy", "recall", "f1")
    ]


def _difference(content: Mapping[str, Any], name: str) -> str:
    """In accuracy: over the best baseline, or over the reference."""
    if found := content["over_best_baseline"].get(name):
        return f"{100 * found['accuracy']['mean']:+.1f} ± {_half(found['accuracy']['ci95'])}"
    if content["best_baseline"] or name == content["reference"]:
        return ""
    found = content["differences"][name]["accuracy"]
    return f"{-100 * found['mean']:+.1f} ± {_half(found['ci95'])}"


def _half(limits: tuple[float, float]) -> str:
    return f"{50 * (limits[1] - limits[0]):.1f}"


def percent(fraction: float) -> str:
    """0.8765 as 87.7."""
    return f"{100 * fraction:.1f}"


def interval(limits: tuple[float, float]) -> str:
    """Limits as '85.0 to 89.1'."""
    return f"{100 * limits[0]:.1f} to {100 * limits[1]:.1f}"

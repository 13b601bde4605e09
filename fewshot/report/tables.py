"""Tables on the console."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from fewshot.comparison import BEFORE
from fewshot.metrics import SCORES


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
    console.print(table)
    if summary["ran"]:
        console.print(summary["ran"], soft_wrap=True, highlight=False, markup=False)


def print_comparison(content: Mapping[str, Any], console: Console) -> None:
    """Methods on the same episodes, in percent; the last column is the reference minus the row."""
    reference = content["reference"]
    table = Table(title=f"the same {content['episodes']} test episodes, seed {content['seed']}")
    for column in ("method", "accuracy", "recall", "F1", f"{reference} is better by"):
        table.add_column(column, justify="left" if column == "method" else "right")
    ours = content["methods"][reference]
    others = {name: own for name, own in content["methods"].items() if name != reference}
    for name, own in {**others, BEFORE: ours["before"], reference: ours}.items():
        table.add_row(name, *_scores(own), _difference(content, name))
    console.print(table)


def _scores(own: Mapping[str, Any]) -> list[str]:
    return [percent(own[name]["mean"]) for name in ("accuracy", "recall", "f1")]


def _difference(content: Mapping[str, Any], name: str) -> str:
    if name == content["reference"]:
        return ""
    difference = content["differences"][name]["accuracy"]
    return f"{100 * difference['mean']:+.1f} {interval(difference['ci95'])}"


def percent(fraction: float) -> str:
    """0.8765 as 87.7."""
    return f"{100 * fraction:.1f}"


def interval(limits: tuple[float, float]) -> str:
    """Limits as '85.0 to 89.1'."""
    return f"{100 * limits[0]:.1f} to {100 * limits[1]:.1f}"

"""A search on the console: its trials, what counts, and what the test side says."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fewshot.report.tables import WIDE, percent

COLUMNS = ("trial", "score", "95% interval", "accuracy", "recall", "F1", "s a task", "kB", "")


def print_search(content: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """The trials from the best on, the importance of what was searched, the test side.

    Args:
        content: of `search.json`.
        rows: of `trials.csv`.
        console: to print on.
    """
    wide = Console(file=console.file, width=max(console.width, WIDE))
    wide.print(_trials(content, rows))
    if content["importance"]:
        shares = ", ".join(f"{name} {100 * value:.0f}%" for name, value in content["importance"].items())
        console.print(f"share of the score's variance (fANOVA): {shares}", soft_wrap=True, markup=False)
    if content["tied_with_best"]:
        names = ", ".join(map(str, content["tied_with_best"]))
        console.print(f"tied with the best, by the interval of the difference: {names}", soft_wrap=True)
    if content["target"]:
        reached = "holds on the validation episodes" if content["target"]["reached"] else "is not reached"
        console.print(f"target: {content['target']['wanted']} {reached}", soft_wrap=True)
    if content["test"]:
        wide.print(_test(content))


def _trials(content: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Table:
    counts = ", ".join(f"{count} {state}" for state, count in content["trials"].items())
    table = Table(
        title=f"trials on validation episodes ({counts}); score: loss / loss of guessing, lower is better"
    )
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "" else "right", no_wrap=column != "")
    for row in sorted(rows, key=lambda row: (row.get("score") is None, row.get("score") or 0.0)):
        table.add_row(str(row["trial"]), *_figures(row), _marks(row))
    return table


def _figures(row: Mapping[str, Any]) -> list[str]:
    if row.get("score") is None:
        return [""] * (len(COLUMNS) - 2)
    return [
        f"{row['score']:.3f}",
        f"{row['score_low']:.3f} to {row['score_high']:.3f}",
        *(percent(row[name]) for name in ("accuracy", "recall", "f1")),
        f"{row['seconds_per_task']:.3f}",
        f"{row['bytes'] / 1000:,.0f}",
    ]


def _marks(row: Mapping[str, Any]) -> str:
    named = ("best", "default", "tied", "pareto")
    marks = [name for name in named if row[name] and not (name == "tied" and row["best"])]
    state = [] if row["state"] == "done" else [row["state"], row["why"].splitlines()[0] if row["why"] else ""]
    return escape(", ".join(filter(None, [*state, *marks])))


def _test(content: Mapping[str, Any]) -> Table:
    test = content["test"]
    names = [name for name in ("best", "default") if name in test]
    episodes, seeds = test[names[0]]["episodes"], content["settings"]["seeds"]
    table = Table(title=f"the test side, drawn from once: {episodes} episodes, mean of {seeds} trainings")
    for column in ("settings", "accuracy", "recall", "F1", "score"):
        table.add_column(column, justify="left" if column == "settings" else "right", no_wrap=True)
    for line in tested_lines(test, ("accuracy", "recall", "f1", "score")):
        table.add_row(*line)
    return table


def tested_lines(test: Mapping[str, Any], metrics: Sequence[str]) -> list[list[str]]:
    """The lines of a table of what the test side said: the best, the default, their paired difference.

    Args:
        test: of `search.json`.
        metrics: a column each.
    """
    names = [name for name in ("best", "default") if name in test]
    lines = [[name, *(_cell(test[name][metric], metric) for metric in metrics)] for name in names]
    if test.get("difference"):
        cells = [_cell(test["difference"][metric], metric, "+") for metric in metrics]
        lines.append(["best - default, paired", *cells])
    return lines


def _cell(figure: Mapping[str, Any], metric: str, sign: str = "") -> str:
    """Mean and half width of the interval; shares in percent."""
    low, high = figure["ci95"]
    if metric == "score":
        return f"{figure['mean']:{sign}.3f} ± {(high - low) / 2:.3f}"
    return f"{100 * figure['mean']:{sign}.1f} ± {50 * (high - low):.1f}"

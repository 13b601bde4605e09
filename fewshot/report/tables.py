"""Tables on the console."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fewshot.comparison import BEFORE
from fewshot.metrics.scores import SCORES
from fewshot.results import setting_of

WIDE = 108  # columns; a table that is cut says less than one that is wrapped
UNBOUND = 10_000  # columns, so that none of a table is cut
NAME = 40  # columns of a name; what is longer goes on in the next line
WRITTEN = {
    "exact_match": "exact match",
    "token_f1": "F1 of tokens",
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
}


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """One evaluation: each score before and after adaptation, in percent."""
    title = f"{summary['episodes']} test episodes, {setting_of(summary)}, seed {summary['seed']}"
    table = Table(title=title)
    for column in ("score", "before", "after", "95% interval", "std", "worst tenth"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for name in SCORES:
        table.add_row(name, percent(summary["before"][name]["mean"]), *_spread(summary[name]))
    for name, found in summary.get("generation", {}).items():
        table.add_row(name, percent(summary["before"][name]["mean"]), *_spread(found))
    if rejection := summary.get("auroc"):
        table.add_row("rejection (AUROC)", "", *_spread(rejection))
    console.print(table)
    for line in spread_lines(summary):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if cut := cut_prompts(summary):
        console.print(cut, soft_wrap=True, highlight=False)
    if skipped := summary.get("skipped_steps"):
        console.print(f"{skipped} outer steps were skipped: a loss was not finite; log.jsonl has which")
    if summary["ran"]:
        console.print(summary["ran"], soft_wrap=True, highlight=False, markup=False)


def cut_prompts(summary: Mapping[str, Any]) -> str:
    """How many prompts were too long for the model; empty where none was, or none was counted."""
    prompts = summary.get("prompts", {})
    if not prompts.get("cut"):
        return ""
    share = f"{prompts['cut']:,} of {prompts['read']:,} prompts"
    return f"{share} were longer than model.max_length and were cut"


def _spread(found: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """A score over the tasks: its mean, interval, deviation and worst tenth."""
    mean, std, worst = (percent(found[name]) for name in ("mean", "std", "worst_decile"))
    return mean, interval(found["ci95"]), std, worst


def spread_lines(summary: Mapping[str, Any]) -> list[str]:
    """What is said of the spread of the accuracy, as far as it was recorded: episodes needed, variances."""
    lines = []
    if counts := summary.get("episodes_needed"):
        needed = ", ".join(f"{count:,} for ±{100 * float(half):g}" for half, count in counts.items())
        lines.append(f"episodes that a 95% interval of the accuracy needs: {needed} points")
    if split := summary.get("variance"):
        parts = " ".join(
            f"{name} {percent(split[name] ** 0.5)}," for name in ("classes", "support", "queries")
        )
        drawn = f"{split['sets']} sets of classes, {split['repeats']:.1f} episodes each"
        lines.append(f"standard deviation of the accuracy by the choice of {parts} from {drawn}")
    return lines


def print_comparison(content: Mapping[str, Any], console: Console) -> None:
    """Methods on the same episodes, in percent with the half width of the 95% interval.

    The differences are to the best baseline, task by task; where there is none, to the reference.
    """
    reference, over = content["reference"], content["best_baseline"] or content["reference"]
    compared = against(content)
    columns = ("accuracy", "recall", "F1", f"over {over}", "s a task", "parameters")
    table = _methods(f"the same {content['episodes']} test episodes, seed {content['seed']}", columns)
    for name, own in content["methods"].items():
        if name == reference:
            table.add_row(BEFORE, *_scores(own["before"]), difference_cell(compared.get(BEFORE)))
        cost = f"{own['seconds_per_task']:.3f}", f"{own['trainable_parameters']:,}"
        table.add_row(escape(name), *_scores(own), difference_cell(compared.get(name)), *cost)
    wide = Console(file=console.file, width=UNBOUND)
    wide.print(table)
    if written := _written(content["methods"], reference):
        wide.print(written)
    for name, found in compared.items():
        counts = f"{found['wins']} tasks won, {found['ties']} tied, {found['losses']} lost in accuracy"
        chance = f"p = {found['p_holm']:.2g} (sign permutations, Holm's correction for {len(compared)})"
        console.print(
            f"{name} against {over}: {counts}; {chance}", soft_wrap=True, highlight=False, markup=False
        )
    for name, own in content["methods"].items():
        if cut := cut_prompts(own):
            console.print(f"{name}: {cut}", soft_wrap=True, highlight=False, markup=False)


def _written(methods: Mapping[str, Mapping[str, Any]], reference: str) -> Table | None:
    """The scores of what each method wrote, and the reference before adaptation; None where nothing was."""
    having = {name: own["generation"] for name, own in methods.items() if "generation" in own}
    if not having:
        return None
    scores = list(next(iter(having.values())))
    table = _methods("what was written", [WRITTEN.get(score, score) for score in scores])
    for name, own in having.items():
        if name == reference and scores[0] in (before := methods[name]["before"]):  # older ones have none
            table.add_row(BEFORE, *(_cell(before[score]) for score in scores))
        table.add_row(escape(name), *(_cell(own[score]) for score in scores))
    return table


def _methods(title: str, columns: Sequence[str]) -> Table:
    """A table with a row a method, as wide as its names and figures are."""
    table = Table(title=title)
    table.add_column("method", max_width=NAME, overflow="fold")
    for column in columns:
        table.add_column(escape(column), justify="right", max_width=NAME, overflow="fold")
    return table


def against(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By method, what it has in accuracy over the best baseline, or over the reference without one."""
    if over := content["over_best_baseline"]:
        return {name: own["accuracy"] for name, own in over.items()}
    return {name: _turned(own["accuracy"]) for name, own in content["differences"].items()}


def _turned(found: Mapping[str, Any]) -> dict[str, Any]:
    """Theirs - ours of ours - theirs."""
    low, high = found["ci95"]
    turned = {"mean": -found["mean"], "ci95": [-high, -low], "wins": found["losses"], "losses": found["wins"]}
    return {**found, **turned}


def _scores(own: Mapping[str, Any]) -> list[str]:
    return [_cell(own[name]) for name in ("accuracy", "recall", "f1")]


def _cell(found: Mapping[str, Any]) -> str:
    """A mean with the half width of its interval, in percent."""
    return f"{percent(found['mean'])} ± {half_width(found['ci95'])}"


def difference_cell(found: Mapping[str, Any] | None) -> str:
    """A paired difference with the half width of its interval, in points; empty where there is none."""
    return f"{100 * found['mean']:+.1f} ± {half_width(found['ci95'])}" if found else ""


def half_width(limits: tuple[float, float]) -> str:
    """Half of what lies between the limits, in percent."""
    return f"{50 * (limits[1] - limits[0]):.1f}"


def percent(fraction: float) -> str:
    """0.8765 as 87.7."""
    return f"{100 * fraction:.1f}"


def interval(limits: tuple[float, float]) -> str:
    """Limits as '85.0 to 89.1'."""
    return f"{100 * limits[0]:.1f} to {100 * limits[1]:.1f}"

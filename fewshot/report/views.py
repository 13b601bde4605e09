"""What the page shows of each run: figures as texts, tasks with their examples by class."""

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from fewshot.comparison import BEFORE
from fewshot.metrics.scores import FURTHER
from fewshot.report.parsing import Row
from fewshot.report.reading import ReportedRun
from fewshot.report.tables import WRITTEN, against, difference_cell, interval, percent, spread_lines
from fewshot.results import setting_of

TITLES = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "balanced_accuracy": "balanced accuracy",
    "f1_micro": "micro F1",
    "log_loss": "log loss",
    "ece": "calibration error",
    "auroc": "rejection (AUROC)",
}


def view_of(run: ReportedRun) -> Row:
    """The texts of one run, finished or not."""
    shown: Row = {
        "name": run.name,
        "step": run.step,
        "config": run.config,
        "versions": run.wrote,
        "commands": commands(run),
        "ran": (run.summary or {}).get("ran", ""),
        "data": json.dumps(run.data, indent=2, ensure_ascii=False) if run.data else "",
        "origins": run.manifest["sources"] if run.manifest else [],
    }
    return shown | (_results(run) if run.finished else {})


def _results(run: ReportedRun) -> Row:
    summary = run.figures
    inspected, seed = run.inspection or {}, summary["seed"]
    return {
        "summary": summary,
        "episodes_said": f"{summary['episodes']} test episodes, {setting_of(summary)}, seed {seed}",
        "scores": list(score_rows(summary)),
        "written": "generation" in summary,
        "beside": spread_lines(summary),
        "sources": sorted(summary.get("sources", {}).items(), key=lambda item: item[1]["accuracy"]["mean"]),
        "extreme": [_task(task) for task in inspected.get("tasks", ())],
        "comparison": run.comparison,
        "methods": list(_methods(run.comparison)) if run.comparison else [],
        "method_scores": [WRITTEN[name] for name in _written_by(run.comparison or {})],
        "over": _over(run.comparison) if run.comparison else "",
    }


def score_rows(summary: Row) -> Iterator[Row]:
    """A row of texts for each score that the summary has."""
    written = summary.get("generation", {})
    rows = [(name, title, summary[name]) for name, title in TITLES.items() if name in summary]
    rows += [(name, WRITTEN.get(name, name), found) for name, found in written.items()]
    for name, title, found in rows:
        told = _nats if name == "log_loss" else percent
        before = _before(summary, name)
        boot = found.get("bootstrap95")
        yield {
            "name": name,
            "title": title,
            "before": "" if before is None else told(before),
            "after": told(found["mean"]),
            "interval": " to ".join(map(told, found["ci95"])),
            "bootstrap": " to ".join(map(told, boot)) if boot else "",
            "std": told(found["std"]),
            "worst": told(found["worst_decile"]),
        }


def _before(summary: Row, name: str) -> float | None:
    if name in summary["before"]:  # of what was written it may be missing in an older summary
        return float(summary["before"][name]["mean"])
    curve = summary.get("curve") or [{}]
    return curve[0].get(name, {}).get("mean") if name in FURTHER else None


def _nats(value: float) -> str:
    return f"{value:.3f}"


def _task(task: Row) -> Row:
    """A task for the page: support examples by class, and with each error the one that did most to it."""
    influence = task["influence"] or [None] * len(task["support"])
    examples = [each | {"change": change} for each, change in zip(task["support"], influence, strict=True)]
    by_class = [(name, [each for each in examples if each["label"] == name]) for name in task["classes"]]
    by_class = by_class or [("support", examples)]  # answers that were written have no classes
    wrong = task.get("wrong", sum(sum(row) - row[n] for n, row in enumerate(task["confusion"])))
    errors = [error | {"pull": _pull(error)} for error in task["errors"]]
    return task | {"by_class": by_class, "errors": errors, "left_out": wrong - len(errors)}


def _pull(error: Row) -> Row | None:
    """What would have helped the right class most, had it been left out."""
    most = max(error["influence"] or (), key=lambda each: each["change"], default=None)
    return most if most and most["change"] > 0 else None


def _over(comparison: Row) -> str:
    return str(comparison.get("best_baseline") or comparison["reference"])


def _written_by(comparison: Row) -> list[str]:
    """The scores of what the methods wrote; none where nothing was written."""
    methods = comparison.get("methods", {}).values()
    return [name for name in WRITTEN if any(name in own.get("generation", {}) for own in methods)]


def _methods(comparison: Row) -> Iterator[Row]:
    """The rows of `compare.json` as the console prints them."""
    found, written = against(comparison), _written_by(comparison)
    for name, own in comparison["methods"].items():
        if name == comparison["reference"]:
            yield _method(BEFORE, own["before"], written, found.get(BEFORE), ("", ""))
        cost = f"{own['seconds_per_task']:.3f}", f"{own['trainable_parameters']:,}"
        yield _method(name, own, written, found.get(name), cost)


def _method(name: str, scores: Row, written: Sequence[str], found: Row | None, cost: Sequence[str]) -> Row:
    cells = [f"{percent(scores[each]['mean'])} ({interval(scores[each]['ci95'])})" for each in ("accuracy",)]
    cells += [percent(scores[each]["mean"]) for each in ("recall", "f1")]
    texts = scores.get("generation", scores)  # before adaptation all scores stand together
    cells += [percent(texts[each]["mean"]) if each in texts else "" for each in written]
    chance = f"{found['p_holm']:.2g}" if found and "p_holm" in found else ""
    return {"name": name, "cells": [*cells, difference_cell(found), chance, *cost]}


def difference_rows(differences: Row) -> Iterator[Row]:
    """A row a run for the accuracy and for each score of what was written, with the title of the score."""
    for name, own in differences.items():
        for score, title in {"accuracy": TITLES["accuracy"], **WRITTEN}.items():
            if score in own:
                yield {"name": name, "title": title, "found": own[score]}


def commands(run: ReportedRun) -> str:
    """What makes the run again, and evaluates it again on the same episodes."""
    lines = ["# started from Python; config.yaml names its parts"]
    if any(line.startswith("family:") for line in run.config.splitlines()):
        lines = [f"fewshot train --config {shlex.quote(str(run.training / 'config.yaml'))} --out NEW"]
    if run.manifest:
        manifest = str(run.folder / "manifest.json")
        again = ["fewshot", "evaluate", str(run.training), "--manifest", manifest, "--name", "again"]
        lines.append(shlex.join(again))
    return "\n".join(lines)


def cost_table(costs: Sequence[tuple[str, Row]]) -> Row:
    """What was recorded of the cost of each run, as texts; columns that no run has are left out."""
    columns: dict[str, tuple[str, Any]] = {
        "seconds": ("seconds in all", lambda v: f"{v:,.0f}"),
        "seconds_a_step": ("s a step", lambda v: f"{v:.2f}"),
        "tasks_per_second": ("tasks/s", lambda v: f"{v:.2f}"),
        "tokens_per_second": ("tokens/s", lambda v: f"{v:,.0f}"),
        "matmul_share": ("product rate", lambda v: f"{percent(v)}%"),
        "padding": ("padding", lambda v: f"{percent(v)}%"),
        "peak_memory": ("peak memory", lambda v: f"{v / 2**20:,.0f} MiB"),
        "seconds_a_task": ("s a test task", lambda v: f"{v:.3f}"),
    }
    used = [name for name in columns if any(name in own for _, own in costs)]
    rows = [(run, [columns[n][1](own[n]) if n in own else "" for n in used]) for run, own in costs]
    return {"columns": [columns[name][0] for name in used], "rows": rows}

"""The table of a report for papers, pull requests and spreadsheets."""

import csv
import io
import json
from collections.abc import Callable, Collection
from typing import Any

from fewshot.metrics.generation import GENERATION
from fewshot.metrics.scores import SCORES
from fewshot.report.content import BESIDE
from fewshot.report.parsing import Row
from fewshot.report.tables import WRITTEN, half_width, percent
from fewshot.results import setting_of

TITLES = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1"}
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def as_markdown(content: Row) -> str:
    """A table of mean and half width of the 95% interval, in percent, with what it is of below."""
    compared = bool(content["differences"])
    columns = _columns(content)
    heads = ["run", *columns.values(), *([f"over {_cell(content['reference'])}"] if compared else [])]
    lines = [_line(heads), _line(["---", *["--:"] * (len(heads) - 1)])]
    for run in content["runs"]:
        cells = _cells(run, columns, " ± ") + ([_difference(content, run, " ± ")] if compared else [])
        lines.append(_line([_cell(run["name"]), *cells]))
    return "\n".join([*lines, "", _note(content), ""])


def as_latex(content: Row) -> str:
    """A table for the package booktabs."""
    compared = bool(content["differences"])
    titles = _columns(content)
    heads = ["run", *titles.values(), *([f"over {_escaped(content['reference'])}"] if compared else [])]
    rows = []
    for run in content["runs"]:
        cells = _cells(run, titles, r" \pm ") + ([_difference(content, run, r" \pm ")] if compared else [])
        maths = [f"${cell}$" if cell[:1] in "+-0123456789" and cell else _escaped(cell) for cell in cells]
        rows.append(" & ".join([_escaped(run["name"]), *maths]) + r" \\")
    columns = "l" + "r" * (len(heads) - 1)
    return "\n".join(
        [
            f"% {content['command']}".replace("\n", " "),
            f"% {_note(content)}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def as_csv(content: Row) -> str:
    """A row a run: the statistics of every score as fractions; empty where a run is not finished."""
    rows = [_flat(content, run) for run in content["runs"]]
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_json(content: Row) -> str:
    """Everything."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Row], str]] = {
    "md": as_markdown,
    "csv": as_csv,
    "json": as_json,
    "latex": as_latex,
}


def _flat(content: Row, run: Row) -> Row:
    row: dict[str, Any] = {"run": run["name"], "state": run["state"], "steps": run["steps"]}
    summary = run.get("summary", {})
    row |= {name: summary.get(name) for name in ("episodes", "way", "shot", "seed", "order")}
    further = {name: summary[name] for name in BESIDE if name in summary} | _written(run)
    for name, found in ({name: summary.get(name) or {} for name in SCORES} | further).items():
        low, high = found.get("ci95", (None, None))
        row |= {
            name: found.get("mean"),
            f"{name}_low": low,
            f"{name}_high": high,
            f"{name}_std": found.get("std"),
        }
    row["accuracy_before"] = summary.get("before", {}).get("accuracy", {}).get("mean")
    if over := content["differences"].get(run["name"]):
        accuracy = over["accuracy"]
        row |= {"over": content["reference"], "difference": accuracy["mean"]}
        row |= {"difference_low": accuracy["ci95"][0], "difference_high": accuracy["ci95"][1]}
        row |= {name: accuracy[name] for name in ("wins", "ties", "losses", "p", "p_holm")}
    return row


def _written(run: Row) -> Row:
    """The scores of what a run wrote; none where nothing was, or it is not finished."""
    found = run.get("summary", {}).get("generation", {})
    return {name: found[name] for name in GENERATION if name in found}


def _columns(content: Row) -> dict[str, str]:
    """The scores of the table with their titles: those of all runs, and those of what any of them wrote."""
    written = {name for run in content["runs"] for name in _written(run)}
    return TITLES | {name: title for name, title in WRITTEN.items() if name in written}


def _cells(run: Row, columns: Collection[str], between: str) -> list[str]:
    """Each score with the half width of its interval, in percent; empty where a run has it not."""
    if run["state"] != "finished":
        return ["unfinished", *[""] * (len(columns) - 1)]
    found = run["summary"] | _written(run)
    return [
        f"{percent(found[name]['mean'])}{between}{half_width(found[name]['ci95'])}" if name in found else ""
        for name in columns
    ]


def _difference(content: Row, run: Row, between: str) -> str:
    over = content["differences"].get(run["name"])
    if not over:
        return ""
    found = over["accuracy"]
    return f"{100 * found['mean']:+.1f}{between}{half_width(found['ci95'])}"


def _note(content: Row) -> str:
    """What the figures are of."""
    runs = [run["summary"] for run in content["runs"] if run["state"] == "finished"]
    if not runs:
        return "No run is finished."
    first = runs[0]
    paired = "; differences in accuracy are paired, episode by episode" if content["differences"] else ""
    return (
        f"{first['episodes']} test episodes, {setting_of(first)}, seed {first['seed']}; "
        f"percent, with the half width of the 95% interval over episodes{paired}."
    )


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _escaped(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)

"""A search for the README: its trials, the importance of what was searched, the test side.

`python -m benchmarks.search.table DIR [README.md]` prints the tables of `benchmarks/results/NAME` as
Markdown, or writes them between the README's marks. `python -m benchmarks.search DIR -- OPTIONS` makes
DIR.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.readme import table_command
from fewshot.errors import InputError
from fewshot.report.search import tested_lines

MARK = "search"
FIGURES = ("score", "accuracy", "recall", "f1")
Row = dict[str, Any]


def load(folder: Path) -> list[Row]:
    """The content of `search.json`, with the lines of `trials.csv`.

    Raises:
        InputError: no search there, or one that has not ended.
    """
    try:
        content: Row = json.loads((folder / "search.json").read_text(encoding="utf-8"))
        with (folder / "trials.csv").open(newline="", encoding="utf-8") as file:
            content["lines"] = list(csv.DictReader(file))
    except OSError as error:
        raise InputError("there is no search", where=folder, needed="what `fewshot search` writes") from error
    if not content["test"]:
        raise InputError("the search has not ended", where=folder, fix="run the same `fewshot search` again")
    return [content | {"quick": False}]


def markdown(rows: Sequence[Row]) -> str:
    """Trials from the best on, and what was tested."""
    (content,) = rows
    return "\n\n".join(filter(None, [_trials(content), _importance(content), _test(content), _note(content)]))


def _trials(content: Row) -> str:
    lines = sorted(content["lines"], key=lambda line: float(line["score"] or "inf"))
    names = [name for name in lines[0] if "." in name or name in ("algorithm", "model", "family")]
    head = ["trial", "score", "accuracy", "recall", "s a task", "kB", *(f"`{name}`" for name in names), ""]
    body = [[*_figures(line), *(_short(line[name]) for name in names), _marks(line)] for line in lines]
    return _table(head, body)


def _figures(line: Mapping[str, str]) -> list[str]:
    if not line["score"]:
        return [line["trial"], "", "", "", "", ""]
    half = (float(line["score_high"]) - float(line["score_low"])) / 2
    shares = [f"{100 * float(line[name]):.1f}" for name in ("accuracy", "recall")]
    cost = [f"{float(line['seconds_per_task']):.3f}", f"{int(line['bytes']) / 1000:,.0f}"]
    return [line["trial"], f"{float(line['score']):.3f} ± {half:.3f}", *shares, *cost]


def _short(value: str) -> str:
    try:
        return f"{float(value):.3g}"
    except ValueError:
        return value


def _marks(line: Mapping[str, str]) -> str:
    marks = [name for name in ("best", "default", "tied", "pareto") if line[name] == "True"]
    return ", ".join([*([] if line["state"] == "done" else [line["state"]]), *marks])


def _importance(content: Row) -> str:
    found = content["importance"].items()
    shares = ", ".join(f"`{name}` {100 * value:.0f}%" for name, value in found)
    done = content["trials"].get("done", 0)
    return (
        shares and f"Share of the score's variance (fANOVA, {done} trials that came to their end): {shares}."
    )


def _test(content: Row) -> str:
    return _table(["test", *FIGURES], tested_lines(content["test"], FIGURES))


def _note(content: Row) -> str:
    test, settings, where = content["test"], content["settings"], content["machine"]
    episodes = test["default" if "default" in test else "best"]["episodes"]
    return (
        f"`{content['command']}`: {content['ended']} after {content['minutes']:.0f} min with the final"
        f" trainings; {settings['seeds']} trainings of each, {episodes} test episodes, intervals over tasks."
        f" {where['processor']} ({where['instructions']}), {settings['workers']} worker(s);"
        f" commit {content['commit']}."
    )


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    table_command(MARK, __doc__, load, markdown)

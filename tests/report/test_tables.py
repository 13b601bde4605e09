"""Tables on the console, from the content of a file."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from fewshot.metrics.generation import GENERATION
from fewshot.metrics.scores import SCORES
from fewshot.report.tables import NAME, print_comparison

Content = dict[str, Any]
BASELINE = "in-context-channel"


def spread(mean: float, half: float = 0.05) -> Content:
    return {"mean": mean, "std": 0.1, "ci95": [mean - half, mean + half], "worst_decile": 0.0}


def content(runs: Sequence[str], half: float = 0.05) -> Content:
    """Of a comparison of runs, the first of them the reference, with a baseline."""
    scores = {name: spread(0.5, half) for name in SCORES}
    method = scores | {"before": scores, "seconds_per_task": 0.25, "trainable_parameters": 12_345_678}
    over = spread(0.1, half) | {"wins": 3, "ties": 2, "losses": 1, "p": 0.02, "p_holm": 0.04}
    return {
        "episodes": 6, "seed": 0, "reference": runs[0], "best_baseline": BASELINE,
        "methods": dict.fromkeys([BASELINE, *runs], method),
        "over_best_baseline": {name: {"accuracy": over} for name in (*runs, "before adaptation")},
        "differences": {},
    }  # fmt: skip


def printed(found: Content, width: int = 80) -> list[str]:
    text = io.StringIO()
    print_comparison(found, Console(file=text, width=width))
    return text.getvalue().splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("half", [0.001, 0.9])
def test_no_name_or_figure_of_a_method_is_cut(width: int, half: float) -> None:
    lines = [cells(line) for line in printed(content(["run", "run [b] by MAMLPlusPlus"], half), width)]
    rows = {line[0]: line[1:] for line in lines if len(line) > 1}
    figure = f"50.0 ± {100 * half:.1f}"
    cost = ["0.250", "12,345,678"]
    assert rows["method"] == ["accuracy", "recall", "F1", f"over {BASELINE}", "s a task", "parameters"]
    assert rows[BASELINE] == [*[figure] * 3, "", *cost]
    assert rows["run [b] by MAMLPlusPlus"] == [*[figure] * 3, f"+10.0 ± {100 * half:.1f}", *cost]
    assert rows["before adaptation"] == [*[figure] * 3, f"+10.0 ± {100 * half:.1f}", "", ""]


def test_a_long_name_goes_on_in_the_next_line() -> None:
    name = "a" * NAME + "b" * 5
    rows = [cells(line) for line in printed(content([name])) if line.startswith("│")]
    place = [row[0] for row in rows].index("a" * NAME)
    assert rows[place + 1] == ["b" * 5, *[""] * 6]


def test_what_was_written_has_a_table_of_its_own() -> None:
    found = content(["run"])
    alone = printed(found)
    for number, name in enumerate(found["methods"]):
        written = {score: spread(0.1 * n + 0.02 * number) for n, score in enumerate(GENERATION)}
        found["methods"][name] = found["methods"][name] | {"generation": written}
    lines = printed(found)
    place = next(n for n, line in enumerate(lines) if line.strip() == "what was written")
    table = lines[place : place + 7]
    assert lines[:place] + lines[place + 7 :] == alone
    titles = ["exact match", "F1 of tokens", "BLEU", "chrF", "ROUGE-1", "ROUGE-2", "ROUGE-L"]
    assert cells(table[2]) == ["method", *titles]
    assert cells(table[4]) == [BASELINE, *(f"{10 * n}.0 ± 5.0" for n in range(7))]
    assert cells(table[5]) == ["run", *(f"{10 * n + 2}.0 ± 5.0" for n in range(7))]
    run = found["methods"]["run"]
    found["methods"]["run"] = run | {"before": run["before"] | {name: spread(0.5) for name in GENERATION}}
    assert cells(printed(found)[place + 5]) == ["before adaptation", *["50.0 ± 5.0"] * 7]


def test_the_prompts_that_a_method_cut_are_told() -> None:
    found = content(["run"])
    found["methods"] = {
        BASELINE: found["methods"][BASELINE] | {"prompts": {"read": 1200, "cut": 30}},
        "run": found["methods"]["run"] | {"prompts": {"read": 1200, "cut": 0}},
    }
    told = f"{BASELINE}: 30 of 1,200 prompts were longer than model.max_length and were cut"
    assert [line for line in printed(found) if "cut" in line] == [told]

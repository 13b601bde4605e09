"""The benchmark of language models, on a tiny one."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.causal import __main__ as benchmark
from benchmarks.causal import cells, pretrain, rule
from benchmarks.causal.cells import QUICK
from benchmarks.causal.methods import METHODS, suits
from benchmarks.causal.problems import PROBLEMS
from benchmarks.causal.problems import QUICK as QUICK_PROBLEMS
from benchmarks.causal.recipe import CURVE, about_model
from benchmarks.causal.rule import right
from benchmarks.causal.scan import LETTERS, in_letters, scan
from benchmarks.causal.table import _reference, _unit, difference, load, markdown
from benchmarks.readme import marks
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.data.example import Example
from fewshot.data.pool import Pool
from fewshot.errors import InputError
from fewshot.evaluation import evaluate
from fewshot.files import write_json
from fewshot.models.learner import Learner
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.tasks.records import RECORDS


@pytest.fixture
def folder(
    tmp_path: Path, causal_backbone: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Runs cells with two outer steps and three episodes; gives their folder."""
    monkeypatch.setattr(benchmark, "QUICK", replace(QUICK, episodes=3, steps=2))
    model = causal_backbone("llama")

    def run(*words: str) -> Path:
        given = ["--quick", "--backbone", model, "--out", str(tmp_path / "cells")]
        assert benchmark.main([*given, *words]) == 0
        return tmp_path / "cells"

    return run


def test_cells_are_written_once_and_make_a_table(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--problems", "strings", "--methods", "in-context", "fine-tune", "maml"]
    rows = load(folder(*words))
    assert [row["method"] for row in rows] == ["in-context", "fine-tune", "maml"]
    assert all(len(row["accuracies"]) == row["episodes"] == 3 for row in rows)
    assert all({"exact_match", "bleu"} <= set(row["generation"]) for row in rows)
    assert [row["outer_steps"] for row in rows] == [0, 0, 2]
    table = markdown(rows)
    assert table.count("\n|") == 2 + len(rows)
    assert f"| {METHODS['maml'].about} |" in table
    assert table in capsys.readouterr().out
    command = "python -m benchmarks.causal --problems strings --methods maml --quick --backbone "
    assert rows[2]["command"].startswith(command)
    monkeypatch.setattr(benchmark, "run_cell", lambda *_: pytest.fail("a cell that was there"))
    folder(*words, "--resume")
    ran: list[str] = []

    def watched(problem: str, method: str, *rest: object) -> dict[str, object]:
        ran.append(method)
        return rows[2]

    monkeypatch.setattr(benchmark, "run_cell", watched)
    folder(*words, "--resume", "--steps", "3")
    assert ran == ["maml"], "only what is trained depends on the outer steps"


@pytest.mark.parametrize("quick", [True, False])
def test_the_model_is_pretrained_once_in_two_stages(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def made(words: list[str]) -> None:
        asked.append(words)
        out = Path(words[words.index("--out") + 1])
        write_json(out / CURVE, {"recipe": vars(pretrain.recipe_of(words))})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrain, "run", made)
    place = "runs/causal-lm-quick" if quick else "runs/causal-lm"
    for _ in range(2):
        assert benchmark._pretrained(quick) == place
    first, then = asked
    assert first[first.index("--out") + 1] == then[then.index("--start") + 1] != place
    assert "--repeated" in then
    assert float(first[first.index("--repeated") + 1]) < float(then[then.index("--repeated") + 1])
    assert "banking77" not in first
    folder = Path(place)
    about = about_model(folder)
    write_json(folder / CURVE, {"recipe": about["recipe"] | {"compile": True}})
    assert benchmark._pretrained(quick) == place, "how it was computed does not matter"
    fewer = {name: value for name, value in about["recipe"].items() if name != "seed"}
    write_json(folder / CURVE, {"recipe": fewer})
    shutil.rmtree(f"{place}-begun")
    assert benchmark._pretrained(quick) == place, (
        "what was written before there was a setting has its default"
    )
    assert len(asked) == 2, "the begin is not asked for where the model is there"
    write_json(folder / CURVE, {"recipe": about["recipe"] | {"steps": 7}})
    with pytest.raises(InputError, match=r"made otherwise\n.*\n.*--steps 7"):
        benchmark._pretrained(quick)
    (folder / CURVE).unlink()
    with pytest.raises(InputError, match=f"no {CURVE}"):
        benchmark._pretrained(quick)


def test_texts_that_are_not_there_are_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEWSHOT_DATA", str(tmp_path / "none"))
    assert benchmark.main(["--quick"]) == 2
    assert capsys.readouterr().err.count("error:") == 1
    assert not list(tmp_path.rglob("runs/*"))


def test_no_outer_steps_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--steps", "0"]) == 2
    assert "--steps is too small" in capsys.readouterr().err


def test_a_loss_is_of_bytes_where_there_are_no_other_tokens() -> None:
    begun = {"recipe": {"vocabulary": 259}}
    assert _unit(begun) == _unit({"recipe": {"vocabulary": 8192}, "start": begun}) == "nats a byte"
    assert _unit({"recipe": {"vocabulary": 4096}}) == "nats a token"


def test_rows_of_other_models_are_not_compared() -> None:
    ours = {"method": "maml", "backbone": {"name": "a"}}
    theirs = {"method": "fine-tune", "backbone": {"name": "b"}}
    otherwise = {"method": "fine-tune", "backbone": {"name": "a"}, "asked": {"tasks": "others"}}
    assert _reference(ours, [ours, theirs]) is ours
    assert _reference(theirs, [ours, theirs]) is None
    assert _reference(otherwise, [ours, otherwise]) is None


def test_a_cell_that_started_otherwise_is_run_again(
    folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[dict[str, int]] = []
    whole = cells.run_cell

    def watched(*given: Any) -> dict[str, Any]:
        result = whole(*given)
        ran.append(result["training"])
        return result

    monkeypatch.setattr(benchmark, "run_cell", watched)
    words = ["--problems", "strings", "--methods", "maml", "zero-shot", "--resume"]
    for training in ({}, {"multitask_steps": 2}, {"multitask_steps": 2}):
        monkeypatch.setitem(PROBLEMS, "strings", replace(PROBLEMS["strings"], training=training))
        monkeypatch.setitem(QUICK_PROBLEMS, "strings", PROBLEMS["strings"])
        folder(*words)
    assert ran == [{}, {}, {"multitask_steps": 2}], (
        "what is not trained does not depend on where training starts"
    )


def test_a_cell_that_adapts_in_more_steps_is_run_again(
    folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    took: list[tuple[str, object]] = []

    def watched(family: TaskFamily, model: Learner, algorithm: Any, *given: Any, **named: Any) -> Any:
        took.append((type(algorithm).__name__, algorithm.inner_steps))
        return evaluate(family, model, algorithm, *given, **named)

    monkeypatch.setattr(cells, "evaluate", watched)
    words = ["--problems", "strings", "--methods", "maml", "multi-task", "--resume"]
    for steps in (None, 7, 7):
        monkeypatch.setitem(QUICK_PROBLEMS, "strings", replace(PROBLEMS["strings"], test_steps=steps))
        rows = load(folder(*words))
    assert took == [("MAMLAdam", 5), ("MultiTask", 10), ("MAMLAdam", 7)]
    assert [row["test_steps"] for row in rows] == [None, 7]


@pytest.mark.data
def test_actions_of_scan_are_letters(data_folder: Path) -> None:
    example = in_letters(Example("turn left twice after jump", "simple", "I_JUMP I_TURN_LEFT I_TURN_LEFT"))
    assert (example.text, example.label, example.text_pair) == ("turn left twice after jump", "simple", "jLL")
    assert len(set(LETTERS.values())) == len(LETTERS)
    family = scan(8, 8)
    rows = Pool.load("gen_scan", RECORDS)
    found = [{pool.name for pool in family.split(side).pools()} for side in ("train", "valid", "test")]
    assert [len(each) for each in found] == [4, 2, 2]
    assert set.union(*found) == {f"gen_scan/{task}" for task in rows.classes}
    (drawn,) = episodes(family, "test", 0, [0])
    actions = {e.text: e.text_pair for task in rows.classes for e in rows.all_of(task)}
    names = {letter: action for action, letter in LETTERS.items()}
    for each in (*drawn.support, *drawn.query):
        assert " ".join(names[letter] for letter in each.label) == actions[each.text]
    assert len(drawn.support) == len(drawn.query) == 8


@pytest.mark.data
def test_a_head_and_names_on_the_same_model(folder: Callable[..., Path], data_folder: Path) -> None:
    rows = load(folder("--problems", "banking77", "--methods", "zero-shot", "head"))
    assert [row["generation"] for row in rows] == [None, None]
    assert rows[0]["before"] == rows[0]["accuracy"]["mean"], "nothing is adapted"
    assert "5-way 2-shot" in markdown(rows), "a quick run says that it has fewer shots"


def test_differences_are_of_the_same_episodes() -> None:
    ours, theirs = {"accuracies": [0.5, 0.7, 0.9]}, {"accuracies": [0.3, 0.5, 0.7]}
    assert difference(ours, theirs) == "+20.0 ± 0.0"


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--problems", "string"]) == 2
    assert "unknown problem 'string'" in capsys.readouterr().err
    assert benchmark.main(["--methods", "mamml"]) == 2
    assert "'maml'" in capsys.readouterr().err


def test_methods_are_asked_what_they_can_do() -> None:
    forms = [name for name, problem in PROBLEMS.items() if problem.kind == "form"]
    assert len(forms) == 5
    assert not any(suits(METHODS[name], PROBLEMS["strings"]) for name in ("head", "channel"))
    assert all(suits(method, PROBLEMS["banking77"]) for method in METHODS.values())


def test_inner_rates_are_those_of_the_problem() -> None:
    problem = replace(PROBLEMS["strings"], inner_lr=0.25)
    made = [METHODS[name].algorithm(problem) for name in ("maml", "both", "head")]
    assert [each.inner_lr for each in made if isinstance(each, MAMLAdam)] == [0.25] * 3


def test_the_table_of_the_readme_is_that_of_the_cells() -> None:
    results, (begin, end) = Path(benchmark.RESULTS), marks("causal")
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert results.is_dir() == (begin in readme), "a table without cells, or cells without a table"
    for table in readme.split(begin)[1:]:
        rows = load(results)
        assert markdown(rows) in table.split(end)[0]
        assert not any(row["quick"] for row in rows)


def test_the_rule_is_the_change_of_the_likest_example() -> None:
    support = (Example("walk V;PST", "walked"), Example("lake N;PL", "lakes"), Example("spy N;PL", "spies"))
    query = (Example("talk V;PST", "talked"), Example("fly N;PL", "flies"), Example("go V;PST", "went"))
    assert right(Episode(support, query, ()), featured=True) == pytest.approx(2 / 3)
    bare = [tuple(Example(each.text.split()[0], each.label) for each in side) for side in (support, query)]
    assert right(Episode(bare[0][:1], bare[1][:1], ()), featured=False) == 1


@pytest.mark.data
def test_the_rule_is_measured_on_the_test_episodes(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rule.main() == 0
    said = capsys.readouterr().out
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shares = re.findall(r"right ([\d.]+) ±", said)
    assert len(shares) == 2
    assert all(f"{share}%" in readme for share in shares), "the README says what the command says"

"""The benchmark of the algorithms runs its cells once, goes on where it was, and shows what it measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.algorithms import __main__ as benchmark
from benchmarks.algorithms import cells as cells_of
from benchmarks.algorithms import table
from benchmarks.algorithms.cells import Effort, path_of
from benchmarks.algorithms.members import MEMBERS, TRAINED
from benchmarks.algorithms.problems import problems
from fewshot.algorithms.algorithms import ALGORITHMS, BASELINES, IN_PROMPTS
from fewshot.errors import FewshotError, InputError
from fewshot.metrics.intervals import mean_interval

ROOT = Path(__file__).parents[1]
TINY = Effort(quick=True, episodes=3, steps=1)
WORDS = ["--quick", "--problems", "attributes-1shot", "--members", "ridge", "ProtoNet"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(benchmark, "QUICK", TINY)
    return tmp_path / "cells"


def test_every_algorithm_and_baseline_is_a_member() -> None:
    kinds = {getattr(make, "func", make) for make in TRAINED.values()}
    assert kinds == {made for name, made in ALGORITHMS.items() if name not in IN_PROMPTS}
    assert set(BASELINES) - IN_PROMPTS <= set(MEMBERS)
    assert set(ALGORITHMS) | set(BASELINES) >= IN_PROMPTS
    names = {path_of(Path("x"), p, m) for p in problems().values() for m in MEMBERS}
    assert len(names) == len(problems()) * len(MEMBERS)


def test_a_cell_says_what_it_measured_and_is_not_run_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert benchmark.main([*WORDS, "--out", str(folder)]) == 0
    found = {p.stem: json.loads(p.read_text()) for p in folder.glob("*.json")}
    assert set(found) == {"attributes-1shot-ridge", "attributes-1shot-protonet"}
    cell = found["attributes-1shot-protonet"]
    assert cell["accuracy"]["mean"] == pytest.approx(mean_interval(cell["accuracies"])[0], abs=1e-6)
    assert (cell["quick"], cell["episodes"], cell["outer_steps"], cell["shot"]) == (True, 3, 1, 1)
    assert cell["command"].endswith(
        "benchmarks.algorithms --problems attributes-1shot --members 'ProtoNet' --quick"
    )
    assert found["attributes-1shot-ridge"]["training_seconds"] == 0
    printed = capsys.readouterr()
    assert "smoke run, not to be quoted" in printed.out
    monkeypatch.setattr(benchmark, "run_cell", lambda *_: pytest.fail("a cell that was there"))
    assert benchmark.main([*WORDS, "--resume", "--out", str(folder)]) == 0


def test_a_member_that_fails_is_a_result(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise FewshotError("the loss is not finite")

    monkeypatch.setattr(cells_of, "evaluate", fails)
    assert benchmark.main([*WORDS[:4], "ridge", "--out", str(folder)]) == 0
    cells = table.load(folder)
    assert cells[0]["error"] == "the loss is not finite"
    assert "| ridge | fails |" in table.markdown(cells)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--problems", "banking-1shot"], "unknown problem 'banking-1shot'"),
        (["--members", "mamll"], "unknown member 'mamll'"),
    ],
)
def test_unknown_names_are_refused(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark.main([*words, "--out", str(folder)]) == 2
    assert message in capsys.readouterr().err
    assert not folder.exists()


def cell(member: str, accuracies: list[float], quick: bool = False) -> dict[str, Any]:
    mean, std, low, high = mean_interval(accuracies)
    score = {"mean": mean, "std": std, "ci95": [low, high]}
    return {
        "data": "attributes", "shot": 1, "member": member, "trained": member in TRAINED, "quick": quick,
        "episodes": len(accuracies), "seed": 0, "accuracy": score, "recall": score, "f1": score,
        "before": {"accuracy": mean}, "seconds_per_task": 0.1, "accuracies": accuracies,
        "trainable_parameters": 1000, "outer_steps": 5, "training_seconds": 2.0, "commit": "abc",
        "machine": {"gpu": None, "processor": "a processor", "threads": 1},
    }  # fmt: skip


def test_differences_are_to_the_best_baseline_task_by_task() -> None:
    worse, best = cell("prototypes", [0.2, 0.4]), cell("ridge", [0.5, 0.7])
    head, *lines = table.rows([worse, best, cell("MAML", [0.6, 0.8])])
    assert head[4] == "over ridge"
    assert [line[4] for line in lines] == ["-30.0 ± 0.0", "", "+10.0 ± 0.0"]


def test_results_that_were_not_measured_alike_make_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no results"):
        table.load(tmp_path)
    for member, quick in (("ridge", True), ("MAML", False)):
        (tmp_path / f"{member}.json").write_text(json.dumps(cell(member, [0.5, 0.5], quick)))
    with pytest.raises(InputError, match="not measured alike"):
        table.load(tmp_path)


def test_the_readme_has_the_table_of_the_results() -> None:
    cells = table.load(benchmark.RESULTS)
    assert not any(each["quick"] for each in cells)
    assert table.markdown(cells) in (ROOT / "README.md").read_text(encoding="utf-8")

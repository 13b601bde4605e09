"""The benchmarks of ready classifiers: cells, tables, and what they refuse."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compression
from benchmarks.readme import marks
from benchmarks.versus import __main__ as versus
from benchmarks.versus import many
from benchmarks.versus.cell import PROBLEMS, run_cell
from benchmarks.versus.rivals import RIVALS
from benchmarks.versus.table import difference, load, markdown

ROOT = Path(__file__).parent.parent


def cell(rival: str, problem: str, accuracies: list[float], seconds: float) -> dict[str, Any]:
    mean = sum(accuracies) / len(accuracies)
    scores = {name: {"mean": mean} for name in ("accuracy", "recall", "f1")}
    machine = {"processor": "P", "instructions": "I", "threads": 2}
    return scores | {
        "problem": problem, "rival": rival, "about": RIVALS[rival].about, "tasks": len(accuracies), "way": 5,
        "shot": 1, "accuracies": accuracies, "fit_seconds": [seconds] * len(accuracies), "bytes": 2**20,
        "peak_bytes": 2**30, "commit": "abc", "machine": machine,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Cells of two rivals on two problems."""
    for rival, seconds, lower in (("fewshot", 0.1, 0.0), ("setfit", 2.0, 0.1)):
        for problem in ("banking77-5way-1shot", "hwu64-5way-1shot"):
            content = cell(rival, problem, [0.9 - lower, 0.7 - 2 * lower], seconds)
            (tmp_path / f"{problem}-{rival}.json").write_text(json.dumps(content))
    return tmp_path


def test_the_table_compares_on_the_same_tasks(folder: Path) -> None:
    rows = load(folder)
    assert [row["rival"] for row in rows] == ["fewshot", "fewshot", "setfit", "setfit"]
    assert difference(rows[:2], rows[2:]) == "+15.0 ± 9.2"  # 10, 20, 10, 20 points
    text = markdown(rows)
    assert "*5-way 1-shot*, 2 tasks each of banking77, hwu64" in text
    assert "| SetFit | 65.0 ± 27.6 | 65.0 | 65.0 | +15.0 ± 9.2 | 2.000 | 20 | 1,024 MiB | 1.00 MiB |" in text


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers an old name
@pytest.mark.parametrize("rival", ["fewshot", "logistic", "peft"])
def test_a_rival_learns_a_task(rival: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RIVALS["peft"], "EPOCHS", 1)
    found = run_cell("clinic150-5way-1shot", rival, 1, None)
    assert (found["tasks"], found["way"], found["shot"]) == (1, 5, 1)
    assert found["accuracies"][0] > (0.1 if rival == "peft" else 0.8)
    assert found["bytes"] > 1000
    assert found["fit_seconds"][0] > 0


@pytest.mark.data
def test_all_classes_at_once_are_one_task(data_folder: Path) -> None:
    (episode,) = PROBLEMS["banking77-allway-5shot"].tasks(20)
    assert (episode.way, episode.shot) == (27, 5)


def test_what_cannot_be_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert versus.main(["--rivals", "setfi"]) == 2
    assert "did you mean 'setfit'?" in capsys.readouterr().err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert versus.main(["--rivals", "setfit"]) == 1
    assert 'pip install "fewshot[bench]"' in capsys.readouterr().err


@pytest.mark.data
def test_every_smaller_form_is_measured(
    runs: Callable[..., str], data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "compression.json"
    assert compression.main(["--run", runs("ProtoNet"), "--tasks", "1", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == len(compression.SMALLER) + 3
    whole, merged, quantised = rows[0], rows[-2], rows[-1]
    assert merged["accuracies"] == whole["accuracies"]
    assert merged["adapter_bytes"] == 0
    assert quantised["backbone_bytes"] < merged["backbone_bytes"] == whole["backbone_bytes"]
    assert "adapter merged into the backbone, in int8" in capsys.readouterr().out


@pytest.mark.data
def test_many_tasks_are_timed(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "ROUNDS", 1)
    assert many.main(["--tasks", "3", "--out", str(tmp_path / "many.json")]) == 0
    rows = json.loads((tmp_path / "many.json").read_text())["rows"]
    assert set(rows) == {"one adapter", "own adapters"}
    assert all(row["ratio"] > 0 for row in rows.values())
    assert "3 texts of as many tasks" in capsys.readouterr().out


def table_of(name: str, command: str | None = None) -> str:
    begin, end = marks(name, command)
    return (ROOT / "README.md").read_text(encoding="utf-8").split(begin)[1].split(end)[0].strip()


def test_the_tables_of_the_readme_are_those_of_the_results() -> None:
    results = ROOT / "benchmarks" / "results"
    assert table_of("versus") == markdown(load(results / "versus"))
    smaller = json.loads((results / "compression-cpu.json").read_text(encoding="utf-8"))
    command = "python -m benchmarks.compression --render"
    assert table_of("compression", command) == compression.markdown(smaller)

"""The watch over a long training."""

import json
from pathlib import Path

import pytest

from benchmarks import endurance


def test_a_short_run_is_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "endurance.json"
    endurance.main(["--steps", "20", "--out", str(file)])  # too short to be warm
    found = json.loads(file.read_text())
    assert found["looks"]["steps"] == list(range(1, 21))
    assert all(memory > 2**20 for memory in found["looks"]["memory"])
    assert "20 outer steps in" in capsys.readouterr().out


def test_growth_is_from_when_it_is_warm_to_the_end() -> None:
    watch = endurance.Watch(1)
    watch.steps = list(range(20))
    watch.memory = [50, 50, 70, 70, 100, 100, *[105] * 12, 110, 110]
    watch.files = [1, 1, 2, 2, 5, 5, *[6] * 12, 9, 9]
    assert watch.growth() == {"memory": pytest.approx(0.1), "files": 4}


@pytest.mark.parametrize(("memory", "files", "code"), [(0.009, 0, 0), (0.01, 0, 1), (-0.1, 1, 1)])
def test_growth_is_told_by_the_exit_code(
    memory: float, files: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"seconds": 1.0, "growth": {"memory": memory, "files": files}, "looks": {"memory": [2**20]}}
    monkeypatch.setattr(endurance, "measured", lambda steps, scratch: found)
    assert endurance.main(["--out", str(tmp_path / "x.json")]) == code


def test_too_few_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert endurance.main(["--steps", "3", "--out", str(tmp_path / "x.json")]) == 2
    assert "steps" in capsys.readouterr().err

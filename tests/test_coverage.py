"""How the lines that the tests reach are counted."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import coverage


def file(lines: int, reached: int) -> dict[str, dict[str, int]]:
    return {"summary": {"num_statements": lines, "covered_lines": reached}}


FILES = {"fewshot/log.py": file(10, 9), "fewshot/data/a.py": file(6, 3), "fewshot/data/b.py": file(4, 4)}


def test_lines_are_added_up_by_package() -> None:
    found = coverage.shares(FILES)
    assert (found["lines"], found["reached"], found["per_cent"]) == (20, 16, 80.0)
    assert found["packages"] == {
        "data": {"lines": 10, "reached": 7, "per_cent": 70.0},
        "(top)": {"lines": 10, "reached": 9, "per_cent": 90.0},
    }


@pytest.mark.parametrize(("least", "failed", "code"), [(80, 0, 0), (81, 0, 1), (80, 1, 1)])
def test_too_little_and_tests_that_fail_are_told_by_the_exit_code(
    least: int, failed: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "reached", lambda tests: (failed, {"files": FILES}))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace())
    out = tmp_path / "coverage.json"
    assert coverage.main(["--least", str(least), "--out", str(out)]) == code
    assert '"per_cent": 80.0' in out.read_text()


def test_without_the_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert coverage.main(["--out", str(tmp_path / "x.json")]) == 2
    assert "pytest-cov is not installed" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

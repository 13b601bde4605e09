"""The tally of mutation testing, with a stand-in for mutmut."""

import configparser
import importlib.util
import json
import os
from pathlib import Path

import pytest

from benchmarks import mutants

RESULTS = """
    fewshot.metrics.scores.x_scores__mutmut_1: killed
    fewshot.metrics.scores.x_scores__mutmut_2: survived
    fewshot.metrics.needed.x_episodes_needed__mutmut_1: timeout
    fewshot.metrics.needed.x_episodes_needed__mutmut_2: killed
    fewshot.tasks.episode.xǁEpisodeǁnumbers__mutmut_1: no tests
    fewshot.algorithms.inner.x_adam__mutmut_1: segfault
    fewshot.algorithms.inner.x_adam__mutmut_2: killed
    fewshot.saved.x__read__mutmut_1: killed
    fewshot.checkpoint.x_restore__mutmut_1: killed
"""
NONE = {"killed": 0, "timeout": 0, "survived": 0, "not_covered": 0, "other": 0}


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in place of mutmut, which notes what it is asked and prints `results`."""
    package = tmp_path / "packages" / "mutmut"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import os, sys\nfrom pathlib import Path\n"
        f"home = Path({str(tmp_path)!r})\n"
        "def cli():\n"
        "    with (home / 'asked').open('a') as file:\n"
        "        print(*sys.argv[1:], os.environ['OMP_NUM_THREADS'], file=file)\n"
        "    if sys.argv[1] == 'results':\n"
        "        print((home / 'results').read_text(encoding='utf-8'))\n"
        "    sys.exit((home / 'fails').exists())\n"
    )
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("PYTHONPATH", f"{package.parent}{os.pathsep}{mutants.ROOT}")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    monkeypatch.setattr(mutants, "COPY", tmp_path / "mutants")
    (tmp_path / "results").write_text(RESULTS, encoding="utf-8")
    (tmp_path / "mutants").mkdir()
    return tmp_path


def test_it_runs_mutmut_and_writes_the_tally(stand_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = stand_in / "mutants.json"
    assert mutants.main(["--processes", "2", "--out", str(out)]) == 1  # no test runs Episode.numbers
    assert (stand_in / "asked").read_text() == "run --max-children 2 1\nresults --all true 1\n"
    assert not (stand_in / "mutants").exists()
    found = json.loads(out.read_text())
    assert found["groups"] == {
        "metrics": NONE | {"killed": 2, "timeout": 1, "survived": 1, "share": 0.75},
        "episode": NONE | {"not_covered": 1, "share": 0},
        "inner loop": NONE | {"killed": 1, "other": 1, "share": 0.5},
        "checkpoint": NONE | {"killed": 2, "share": 1},
    }
    assert found["files"]["fewshot/metrics/needed.py"] == NONE | {"killed": 1, "timeout": 1, "share": 1}
    assert (found["processes"], type(found["seconds"])) == (2, int)
    assert {"commit", "versions", "machine"} <= set(found)
    assert {"mutmut", "pytest", "torch"} <= set(found["versions"])
    lines = capsys.readouterr().out.splitlines()
    assert "metrics: 75.0% killed (2 killed, 1 timeout, 1 survived, 0 not covered, 0 other)" in lines
    assert len(lines) == 6 + 4


def test_it_goes_on_where_it_was(stand_in: Path) -> None:
    (stand_in / "results").write_text("    fewshot.saved.x__read__mutmut_1: killed\n")
    out = stand_in / "mutants.json"
    assert mutants.main(["--go-on", "--out", str(out)]) == 0
    assert (stand_in / "mutants").exists()
    assert json.loads(out.read_text())["seconds"] is None  # of the part alone it would say too little


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("    fewshot.saved.x__read__mutmut_1: not checked\n", "not all mutants were tried"),
        ("\n", "mutmut names no mutants"),
    ],
)
def test_what_is_no_answer(
    results: str, message: str, stand_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stand_in / "results").write_text(results)
    assert mutants.main(["--out", str(stand_in / "mutants.json")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}\n")
    assert not (stand_in / "mutants.json").exists()


def test_tests_that_fail_without_a_change(stand_in: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (stand_in / "fails").touch()
    assert mutants.main([]) == 2
    assert capsys.readouterr().err == (
        "error: mutmut came to no answer\n"
        "  got:    exit code 1 of mutmut run --max-children 1\n"
        "  needed: tests that pass\n"
    )


def test_without_mutmut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutants, "COPY", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert mutants.main([]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: mutmut is not installed\n  do:     ")
    assert err.endswith(" -m pip install 'mutmut>=3.8'\n")
    assert tmp_path.exists()


def test_no_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(["--processes", "0"]) == 2
    assert "scripts/mutants.processes is too small" in capsys.readouterr().err


def test_every_file_that_is_changed_is_there() -> None:
    """A pattern that fits no file would leave its part out without a word."""
    section = configparser.ConfigParser()
    section.read(mutants.ROOT / "setup.cfg")
    for key in ("only_mutate", "also_copy", "pytest_add_cli_args_test_selection"):
        for pattern in section["mutmut"][key].split():
            assert list(mutants.ROOT.glob(pattern)), pattern
    for word in section["mutmut"]["pytest_add_cli_args"].split():
        file, name = word.removeprefix("--deselect=").split("::")
        assert f"def {name.split('[')[0]}(" in (mutants.ROOT / file).read_text()

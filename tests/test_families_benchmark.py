"""The benchmark of the families: every folder of data has a family, and a row is made and shown."""

import json
from pathlib import Path

import pytest

import benchmarks.families.__main__ as benchmark
import benchmarks.sampling as sampling
from benchmarks.families.cases import NO_DATA, Case, cases
from benchmarks.families.table import console_table, load, markdown
from fewshot.errors import InputError
from fewshot.tasks.families import FAMILIES


def test_every_family_has_a_case() -> None:
    assert {case.family for case in cases()} == set(FAMILIES) - set(NO_DATA)


@pytest.mark.data
def test_every_folder_of_data_is_in_a_case(data_folder: Path) -> None:
    there = {folder.name for folder in data_folder.iterdir() if folder.is_dir()}
    assert there == {name for case in cases() for name in case.data}


@pytest.mark.data
@pytest.mark.parametrize("case", [case for case in cases() if case.data], ids=lambda case: case.name)
def test_every_case_draws_on_every_side(case: Case, data_folder: Path) -> None:
    from fewshot.tasks.family import episodes

    family = case.make()
    for side in ("train", "test"):
        found = list(episodes(family, side, 0, range(5)))
        assert len(set(found)) > 1
        assert found == list(episodes(family, side, 0, range(5)))


def test_a_row_is_made_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWSHOT_DATA", str(tmp_path))
    monkeypatch.setattr(benchmark, "STEPS", (1, 1))
    monkeypatch.setattr(benchmark, "TEST", (2, 2))
    monkeypatch.setattr(benchmark, "DRAWN", 3)
    out = tmp_path / "out"
    assert benchmark.main(["--quick", "--families", "Attributes", "--out", str(out)]) == 0
    (row,) = load(out)
    assert row["quick"] is True
    assert row["leaks"] == {"class": 0, "text": 0, "near-duplicate": 0}
    assert 0 <= row["accuracy"]["mean"] <= 1
    assert "smoke run" in str(console_table([row]).title)
    assert "| Attributes | (grammar) |" in markdown([row])


@pytest.mark.parametrize(
    ("words", "home", "complaint"),
    [
        (
            ["--families", "Vews"],
            "x",
            "unknown family 'Vews'\n  where:  --families\n  do:     did you mean 'Views'?",
        ),
        ([], None, "there is no folder of data sets\n  where:  FEWSHOT_DATA\n  got:    not set\n"),
    ],
)
def test_wrong_input_is_said(
    words: list[str],
    home: str | None,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("FEWSHOT_DATA", raising=False)
    if home:
        monkeypatch.setenv("FEWSHOT_DATA", home)
    assert benchmark.main(words) == 2
    assert complaint in capsys.readouterr().err


def test_a_folder_without_results_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no results"):
        load(tmp_path)


def test_sampling_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "s.json"
    assert sampling.main(["--rows", "2000", "--json", str(file), "--folder", str(tmp_path)]) == 0
    (size,) = json.loads(file.read_text())["sizes"]
    assert (size["rows"], size["classes"], size["episodes"]) == (2000, 20, sampling.EPISODES)
    assert size["seconds_to_draw"] > 0
    assert size["own_bytes"] < 1e9

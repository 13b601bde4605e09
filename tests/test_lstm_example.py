"""The example of the LSTM runs where there is no data set, and says what it did."""

import json
from pathlib import Path

import pytest

from benchmarks import lstm_example

ROWS = ["untrained", "trained", "fine-tuned", "meta-trained"]


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """On attribute tasks, which every machine has."""
    monkeypatch.delenv("FEWSHOT_DATA", raising=False)


def test_a_quick_run_has_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "example"
    assert lstm_example.main(["--quick", "--out", str(out)]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert "attribute tasks" in lines[0]
    assert "(quick)" in lines[0]
    assert [name for line in lines for name in ROWS if line.startswith(f"│ {name} ")] == ROWS
    written = json.loads((out / "table.json").read_text(encoding="utf-8"))["rows"]
    assert list(written) == ROWS
    assert all(row["seconds"] > 0 and 0 < row["accuracy"]["mean"] <= 1 for row in written.values())
    assert all(row["episodes"] == lstm_example.QUICK.episodes for row in written.values())
    assert said.err.count(" seconds") == len(ROWS)
    assert (out / "trained" / "adapter").is_dir()
    assert (out / "meta-trained" / "adapter").is_dir()


def test_it_writes_over_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lstm_example.main(["--quick", "--out", str(tmp_path)]) == 2
    assert "the output exists already" in capsys.readouterr().err

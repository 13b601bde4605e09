"""The speed benchmark measures what it says, on a shape that takes no time."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.speed import __main__ as speed
from benchmarks.speed import table
from benchmarks.speed.case import SETTINGS, Case, draw, task_family
from benchmarks.speed.ours import Ours
from benchmarks.speed.peak import peak
from benchmarks.speed.peers import Peer, PeftClassifier, relative_error
from benchmarks.speed.rounds import Effort
from fewshot.data.split import ClassSplit
from fewshot.models.packing import TOKENS
from fewshot.tasks.nway import NWayKShot

ROOT = Path(__file__).parents[1]
TINY = "shape:llama-tiny"
pytestmark = [
    # what the peers warn of on the PEFT and torch of today
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """On attribute tasks, which every machine has."""
    monkeypatch.delenv("FEWSHOT_DATA", raising=False)


@pytest.mark.parametrize("name", ["learn2learn", "torchopt"])
@pytest.mark.parametrize("order", [1, 2])
def test_a_peer_has_our_gradient(name: str, order: int) -> None:
    case = Case(SETTINGS[0], order, TINY, "cpu", inner_steps=2, meta_batch=2, max_length=24)
    drawn = draw(task_family(), 0, 2)
    ours = Ours(case)
    peer = Peer(name, case, PeftClassifier(case, "eager", ours))
    ours.step(drawn)
    peer.step(drawn)
    assert relative_error(ours.gradient(), peer.gradient()) < 1e-5
    assert set(ours.gradient()) == set(peer.gradient()) == set(ours.parameters)


def test_operations_are_counted_by_hand() -> None:
    case = Case(SETTINGS[0], 1, TINY, "cpu", inner_steps=3, meta_batch=2)
    ours = Ours(case)
    drawn = draw(task_family(), 0, 2)
    support, query = ours.tokens(drawn)
    hidden, inner, kv, rank, layers = 64, 128, 32, 8, 4
    attention = 2 * hidden * hidden + 2 * hidden * kv
    base = attention + 3 * hidden * inner
    constant = hidden * hidden + 2 * hidden * kv  # the first queries, keys and values: computed once a text
    down = 3 * hidden * 2 * layers - 2 * hidden  # value, its gradient, and, but for the first, its input's
    up = 3 * (hidden + kv) * layers
    per_token = 2 * 2 * (layers * base - constant) + 2 * rank * (down + up)
    assert ours.operations(drawn) == pytest.approx(per_token * (3 * support + query), rel=1e-6)


def test_peak_memory_is_measured_in_a_process_of_its_own() -> None:
    case = Case(SETTINGS[0], 2, TINY, "cpu", inner_steps=1, meta_batch=1)
    found = peak("ours", case)
    assert found["peak"] > found["base"] > 0
    assert "error" in peak("nobody", case)


def test_a_run_writes_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "QUICK", Effort(rounds=1, peer_seconds=0.1))
    monkeypatch.setattr(speed, "STEPS", (1,))
    monkeypatch.setattr(speed, "SETTINGS", SETTINGS[:1])
    assert speed.main(["--quick", "--json", str(tmp_path / "speed.json"), "--model", TINY]) == 0
    result = json.loads((tmp_path / "speed.json").read_text())
    assert result["quick"] is True
    assert [(entry["name"], entry["order"]) for entry in result["settings"]] == [("a", 1), ("a", 2)]
    for entry in result["settings"]:
        tuned = {"learn2learn, eager", "torchopt, eager"} if entry["order"] == 1 else set()
        assert set(entry["peers"]) == set(entry["ratio"]) == {"learn2learn", "torchopt"} | tuned
        assert "higher" in entry["errors"]
        assert entry["grad_rel_error"] < 1e-5
        assert 0 <= entry["padding_share"] < 1 / TOKENS
        assert 0 < entry["gemm_fraction"] < 1
        assert entry["peak_memory"]["1"] > 0


def test_the_readme_has_the_table_of_the_result() -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / "speed-cpu.json").read_text())
    assert result["quick"] is False
    assert table.markdown(result) in (ROOT / "README.md").read_text()


def test_gradients_differ_where_they_differ() -> None:
    one, other = {"a": torch.tensor([3.0, 4.0])}, {"a": torch.tensor([3.0, 4.5])}
    assert relative_error(other, one) == pytest.approx(0.1)


def test_the_prefix_is_filled_with_the_texts_of_the_training_classes(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [{"text": f"{label} number {n}", "label": label} for label in "abcdef" for n in range(3)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    split = ClassSplit(lists={"train": ["a", "b"], "valid": ["c", "d"], "test": ["e", "f"]})
    family = NWayKShot(source=str(file), way=2, shot=1, queries=1, split=split)
    texts = speed._training_texts(family, Case(SETTINGS[0], 1, TINY, "cpu"), rounds=1)
    assert texts == [row["text"] for row in rows[:6]]

"""What is predicted for more processes follows from what was measured in one."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scaling
from benchmarks.scaling import Measured, Network, all_reduce, predicted

SLOW = Network("slow", 1e-3, 1e6)
EVEN = Measured("even", 1000, {1: [1.0], 2: [2.0], 4: [4.0]})


def test_an_all_reduce_by_hand() -> None:
    assert all_reduce(1000, 1, SLOW) == 0
    assert all_reduce(1000, 2, SLOW) == pytest.approx(2 * 1e-3 + 8000 / 1e6)
    assert all_reduce(1000, 1000, SLOW) == pytest.approx(20 * 1e-3 + 2 * 0.999 * 8000 / 1e6)


def test_as_many_episodes_each() -> None:
    rows = predicted(EVEN, SLOW, grows=True)
    assert [row["episodes"] for row in rows] == [4 * size for size in scaling.SIZES]
    for row in rows:
        assert row["compute"] == 4
        assert row["efficiency"] == pytest.approx(4 / (4 + all_reduce(1000, row["processes"], SLOW)))


def test_a_fixed_number_together_is_bounded_by_the_largest_share() -> None:
    rows = predicted(EVEN, Network("none", 0, math.inf), grows=False)
    for row in rows:
        assert row["seconds"] == math.ceil(1024 / row["processes"])
    assert rows[-1]["efficiency"] == pytest.approx(1024 / 2 / 1000)


def test_all_wait_for_the_slowest() -> None:
    uneven = Measured("uneven", 10, {1: [1.0] * 99 + [3.0]})
    generator = np.random.Generator(np.random.Philox(0))
    means = {n: np.mean([uneven.drawn(1, n, generator) for _ in range(500)]) for n in (1, 100)}
    assert means[1] == pytest.approx(1.02, abs=0.02)
    assert means[100] == pytest.approx(1 + 2 * (1 - 0.99**100), abs=0.1)  # one of a hundred is slow
    assert uneven.drawn(0, 5, generator) == 0


def test_what_was_published_follows_from_its_own_measurements(tmp_path: Path) -> None:
    found = json.loads((scaling.RESULTS / "scaling.json").read_text(encoding="utf-8"))
    assert not found["quick"]
    steps = {each["name"]: each for each in found["measured"]}
    for each in found["predicted"]:
        own = steps[each["name"]]
        times = {int(n): values for n, values in own["steps"].items()}
        measured = Measured(own["name"], own["parameters"], times)
        rows = predicted(measured, Network(**each["network"]), each["grows"])
        assert [row["seconds"] for row in rows] == pytest.approx([row["seconds"] for row in each["rows"]])
    scaling.plot(found, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")


def test_steps_are_measured(monkeypatch: pytest.MonkeyPatch, tiny_backbone: str) -> None:
    from fewshot.models.encoder import LoraEncoder

    monkeypatch.setattr(scaling, "LoraEncoder", lambda: LoraEncoder(tiny_backbone))
    measured, device = scaling.here(1, (1, 2))
    assert device.type == "cpu"
    assert [len(measured.steps[share]) for share in (1, 2)] == [1, 1]
    assert all(seconds > 0 for times in measured.steps.values() for seconds in times)
    assert measured.parameters > 1000

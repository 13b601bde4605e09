"""Speed and memory of language models of known sizes, on a tiny one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import llm_scale
from benchmarks.llm_scale import SCALES, Case, episodes, measured, table
from fewshot.models.shapes import SHAPES

TINY = Case("llama-tiny", tasks=2, rows=2, length=24, rank=4, rows_at_once=1, repeats=1)


@pytest.mark.parametrize("order", [1, 2])
def test_a_step_is_measured(order: int) -> None:
    found = measured(replace(TINY, order=order))
    most = 2 * 2 * 2 * (TINY.length - 1)  # the last token of an answer is not read
    assert 0.8 * most < found["tokens"] <= most
    assert found["tokens_per_second"] == pytest.approx(found["tokens"] / found["seconds"])
    assert 0 < found["share_of_matrix_rate"] < 1
    assert found["base_bytes"] >= 2 * found["parameters"]
    assert found["machine"]["gpu"] is None
    json.dumps(found)


def test_tasks_are_as_long_as_they_may_be() -> None:
    drawn = episodes(TINY)
    assert [len(episode.support) for episode in drawn] == [2, 2]
    assert drawn == episodes(TINY)
    assert all(len(example.text.split()) == TINY.length for example in drawn[0].query)


def test_the_sizes_are_known_and_named() -> None:
    assert set(SCALES) <= set(SHAPES)


def test_the_command_writes_what_it_found_and_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"parameters": 10**9, "seconds": 0.5, "tokens_per_second": 1000.0} | {"memory_over_base": 1.25}
    results = [good | {"shape": "llama-1b", "order": 1, "share_of_matrix_rate": 0.42}]
    results += [{"shape": "llama-1b", "order": 2, "error": "out of memory"}]
    found = iter(results)
    monkeypatch.setattr(llm_scale, "alone", lambda *_: next(found))
    file = tmp_path / "scale.json"
    assert llm_scale.main(["--shapes", "llama-1b", "--json", str(file)]) == 0
    assert json.loads(file.read_text())["found"] == results
    said = capsys.readouterr().out
    assert "| llama-1b | 1 | 1.00 B | 0.50 | 1,000 | 42% | 1.25 |" in said
    assert "| llama-1b | 2 | out of memory |" in said
    assert table([results[0] | {"memory_over_base": None}]).endswith("42% | |")


def test_an_unknown_shape_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert llm_scale.main(["--shapes", "llama-2b"]) == 2
    assert "unknown shape" in capsys.readouterr().err


@pytest.mark.slow
def test_a_case_runs_in_a_process_of_its_own() -> None:
    found = llm_scale.alone(TINY, 300)
    assert found["seconds"] > 0
    assert "took more than" in llm_scale.alone(TINY, 0.01)["error"]

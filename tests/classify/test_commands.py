"""`fewshot adapt` and `fewshot predict`, from the outside."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked import LABELS, NEW, TEXTS
from conftest import Cli

LINES = [json.dumps({"text": text, "label": label}) for text, label in zip(TEXTS, LABELS, strict=True)]


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """The examples as JSON lines."""
    path = tmp_path / "examples.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    return path


@pytest.fixture
def task(cli: Cli, run: str, examples: Path, tmp_path: Path) -> Path:
    """An adapted task."""
    assert cli("adapt", run, "--support", examples, "--out", tmp_path / "task")[0] == 0
    return tmp_path / "task"


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What stands on standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_adapt_says_what_it_learned(cli: Cli, run: str, examples: Path, tmp_path: Path) -> None:
    code, out, err = cli("adapt", run, "--support", examples, "--out", tmp_path / "task")
    assert (code, err) == (0, "")
    assert out.startswith("9 examples of 3 classes in ")
    assert f"written to {tmp_path / 'task'} (" in out
    again = cli("adapt", run, "--support", examples, "--out", tmp_path / "task")
    assert again[0] == 2
    assert "the output exists already" in again[2]
    assert cli("adapt", run, "--support", examples, "--out", tmp_path / "task", "--overwrite")[0] == 0
    (tmp_path / "mine").mkdir()
    refused = cli("adapt", run, "--support", examples, "--out", tmp_path / "mine", "--overwrite")
    assert "only an adapted task is replaced" in refused[2]


def test_examples_of_a_table_and_of_standard_input_give_the_same(
    cli: Cli, run: str, tmp_path: Path, task: Path, stdin: Callable[[str], None]
) -> None:
    table = tmp_path / "table.csv"
    pairs = [f'"{text}",{label}' for text, label in zip(TEXTS, LABELS, strict=True)]
    table.write_text("question,kind\n" + "\n".join(pairs) + "\n")
    words = ["--text", "question", "--label", "kind"]
    assert cli("adapt", run, "--support", table, *words, "--out", tmp_path / "table")[0] == 0
    stdin("\n".join(LINES))
    assert cli("adapt", run, "--support", "-", "--out", tmp_path / "stdin")[0] == 0
    found = []
    for folder in (task, tmp_path / "table", tmp_path / "stdin"):
        stdin("\n".join(NEW))
        code, out, _ = cli("predict", folder)
        assert code == 0
        found.append([row["label"] for row in rows(out)])
    assert found[0] == found[1] == found[2]


def test_predict_labels_lines_of_every_kind(cli: Cli, task: Path, stdin: Callable[[str], None]) -> None:
    stdin("\n".join([NEW[0], "", json.dumps({"text": NEW[1]}), '{"no": "text"}', "{not json"]) + "\n")
    code, out, err = cli("predict", task, "--batch", 2)
    assert (code, err) == (0, "")
    found = rows(out)
    assert [row["text"] for row in found] == [NEW[0], NEW[1], '{"no": "text"}', "{not json"]
    for row in found:
        assert set(row) == {"text", "label", "scores", "distance"}
        assert list(row["scores"]) == ["card", "exchange", "refund"]
        assert row["label"] == max(row["scores"], key=row["scores"].get)
        assert sum(row["scores"].values()) == pytest.approx(1, abs=1e-4)


def test_predict_explains_and_rejects(cli: Cli, task: Path, stdin: Callable[[str], None]) -> None:
    stdin(f"{TEXTS[0]}\nsnow on the mountains\n")
    _, out, _ = cli("predict", task, "--explain", 2, "--max-distance", 0.0001)
    known, strange = rows(out)
    assert known["label"] == "card"
    assert known["nearest"][0]["text"] == TEXTS[0]
    assert [set(each) for each in known["nearest"]] == [{"text", "label", "distance"}] * 2
    assert strange["label"] is None
    assert strange["distance"] > 0.0001


def test_predict_reads_tables_and_files(cli: Cli, task: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text('id,question\n1,"is there, perhaps, a card"\n2,euros\n')
    code, out, _ = cli("predict", task, "--texts", table, "--text", "question")
    assert code == 0
    assert [row["text"] for row in rows(out)] == ["is there, perhaps, a card", "euros"]
    code, _, err = cli("predict", task, "--texts", table)
    assert code == 2
    assert "the table has no column 'text'" in err
    assert "got:    the columns id, question" in err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json", "this line is no JSON"),
        ("[1]", "this line lacks a field"),
        ('{"other": 1}', "got:    the fields other"),
        ('{"text": 3}', "a text is no string"),
        ('{"text": ""}', "an empty text"),
        ("[" * 100_000, "this line is no JSON"),
    ],
)
def test_a_line_that_cannot_be_read_stops_or_is_left_out(
    line: str, said: str, cli: Cli, task: Path, stdin: Callable[[str], None]
) -> None:
    content = "\n".join([json.dumps({"text": NEW[0]}), line, json.dumps({"text": NEW[1]})])
    stdin(content)
    code, out, err = cli("predict", task, "--format", "jsonl", "--batch", 1)
    assert code == 2
    assert said in err
    assert "standard input, line 2" in err
    assert [row["text"] for row in rows(out)] == [NEW[0]], "what came before is answered"
    stdin(content)
    code, out, err = cli("predict", task, "--format", "jsonl", "--on-error", "skip")
    assert code == 0
    assert err.startswith("left out: ")
    assert [row["text"] for row in rows(out)] == [NEW[0], NEW[1]]


def test_numbers_that_json_lacks_do_not_make_a_text_of_an_object(
    cli: Cli, task: Path, stdin: Callable[[str], None]
) -> None:
    stdin('{"text": "my card", "score": NaN, "id": 99999999999999999999999}\n')
    code, out, _ = cli("predict", task)
    assert code == 0
    assert [row["text"] for row in rows(out)] == ["my card"]
    stdin('{"text": "my card", "text": "another"}\n')
    code, _, err = cli("predict", task)
    assert code == 2
    assert "the key 'text' stands twice in one object" in err


def test_long_texts_are_told(
    cli: Cli, run: str, task: Path, stdin: Callable[[str], None], tmp_path: Path
) -> None:
    stdin("card " * 500 + "\n" + NEW[0] + "\n")
    code, out, err = cli("predict", task)
    assert code == 0
    assert [row.get("truncated", False) for row in rows(out)] == [True, False]
    assert err == "1 texts are longer than 128 tokens: the rest of them was not read\n"
    long = tmp_path / "long.jsonl"
    long.write_text("\n".join([*LINES, json.dumps({"text": "card " * 500, "label": "card"})]))
    assert "1 texts are longer" in cli("adapt", run, "--support", long, "--out", tmp_path / "long")[2]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "there is nothing to learn from"),
        (LINES[:3], "there is one class alone"),
        ([*LINES, '{"text": "a"}'], "line 10"),
        ([*LINES, '{"text": null, "label": "card"}'], "number 10"),
        ([*LINES, '{"text": "a", "label": null}'], "an example has no label"),
        ([*LINES, "}"], "this line is no JSON"),
    ],
)
def test_examples_that_cannot_be_learned_from(
    lines: list[str], said: str, cli: Cli, run: str, stdin: Callable[[str], None], tmp_path: Path
) -> None:
    stdin("\n".join(lines))
    code, _, err = cli("adapt", run, "--support", "-", "--out", tmp_path / "task")
    assert code == 2
    assert said in err
    assert not (tmp_path / "task").exists()


def test_a_reader_that_has_seen_enough_is_no_error(task: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("my card\n" * 3000)
    words = [sys.executable, "-m", "fewshot", "predict", str(task), "--texts", str(texts), "--batch", "16"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["text"] == "my card"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_nothing_of_that_name(cli: Cli, task: Path, tmp_path: Path) -> None:
    assert "this is no adapted task" in cli("predict", tmp_path / "nowhere")[2]
    assert "the texts cannot be read" in cli("predict", task, "--texts", tmp_path / "nowhere")[2]
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    assert "the texts are not in UTF-8" in cli("predict", task, "--texts", tmp_path / "latin")[2]

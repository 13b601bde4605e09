"""What the converters make of tiny releases: rows, splits, and what SOURCE.md says."""

import hashlib
import json
from pathlib import Path

import pytest
from releases.samples import arsc, bao, convert, field, folder, leopard, lines, protaugment, rows_of

from fewshot.releases.bao_classes import SETS


def test_protaugment(tmp_path: Path) -> None:
    written = convert("protaugment", folder(protaugment(), tmp_path / "in"), tmp_path / "out")
    rows = rows_of(written["banking77/data.jsonl"])
    assert rows[:2] == [{"text": "a 0 é", "label": "a"}, {"text": "b 0 é", "label": "b"}]
    assert len(rows) == 13
    assert json.loads(written["banking77/splits.json"]) == {
        "name": "banking77",
        "kind": "class",
        "source": "tdopierre/ProtAugment data/BANKING77/few_shot/01..01/labels.{train,valid,test}.txt",
        "folds": {"01": {"train": ["b"], "valid": ["a"], "test": ["c"]}},
    }
    assert written["banking77/low10.json"] == b'{"01": [10, 1]}\n'


def test_protaugment_says_what_it_counted(tmp_path: Path) -> None:
    written = convert("protaugment", folder(protaugment(), tmp_path / "in"), tmp_path / "out")
    said = written["banking77/SOURCE.md"].decode().splitlines()
    for line in (
        "- `data.jsonl`: 13 rows, 3 classes",
        "- rows per class: min 4, median 4, max 5",
        "- whitespace words per text: min 3, median 3, max 3",
        "- fields: `text`, `label`",
        "- rows read back and compared equal to what was written: yes",
        "- rows with an empty text or label (dropped): 0",
        "- rows repeating the exact text of another row: 1",
        "- rows repeating text, label and split of another row: 1",
        "- distinct texts (case and spacing folded) that carry more than one label: 0",
        "- fold 01: classes train 1/valid 1/test 1; rows train 4/valid 5/test 4; class lists disjoint: yes; "
        "classes listed but absent: 0; classes in no list: 0; "
        "same text on both sides: train-valid 0, train-test 0, valid-test 0",
    ):
        assert line in said


def test_a_row_that_stands_twice_is_taken_twice(tmp_path: Path) -> None:
    files = protaugment()
    row = {"sentence": "a 0 é", "label": "a"}
    files["data/BANKING77/few_shot/01/train.10samples.jsonl"] = lines([row, row])
    written = convert("protaugment", folder(files, tmp_path / "in"), tmp_path / "out")
    assert written["banking77/low10.json"] == b'{"01": [0, 12]}\n'


def test_rows_without_text_are_dropped_before_they_are_counted(tmp_path: Path) -> None:
    files = protaugment()
    name = "data/BANKING77/full.jsonl"
    files[name] = lines([{"sentence": " ", "label": "a"}]) + files[name]
    written = convert("protaugment", folder(files, tmp_path / "in"), tmp_path / "out")
    assert written["banking77/low10.json"] == b'{"01": [10, 1]}\n'
    assert b"- rows with an empty text or label (dropped): 1\n" in written["banking77/SOURCE.md"]


def test_the_smallest_sha1_is_kept(tmp_path: Path) -> None:
    source = folder(protaugment(), tmp_path / "in")
    whole = rows_of(convert("protaugment", source, tmp_path / "all")["banking77/data.jsonl"])
    written = convert("protaugment", source, tmp_path / "two", "--rows-per-class", "2")
    digests: dict[str, list[str]] = {label: [] for label in "abc"}
    for row in whole:
        digests[str(row["label"])].append(hashlib.sha1(str(row["text"]).encode()).hexdigest())
    bounds = {label: sorted(each)[1] for label, each in digests.items()}
    kept = rows_of(written["banking77/data.jsonl"])
    assert len(kept) == 6
    assert all(hashlib.sha1(str(r["text"]).encode()).hexdigest() <= bounds[str(r["label"])] for r in kept)
    places = [whole.index(row) for row in kept]
    assert places == sorted(places)
    assert "banking77/low10.json" not in written
    assert b"- rows left out because their class had enough: 7\n" in written["banking77/SOURCE.md"]


def test_only_some_data_sets(tmp_path: Path) -> None:
    source = folder(protaugment() | protaugment("OOS") | protaugment("Liu"), tmp_path / "in")
    written = convert("protaugment", source, tmp_path / "out", "--only", "clinic150", "liu")
    assert {name.split("/")[0] for name in written} == {"clinic150", "liu"}
    assert "data/OOS/few_shot" in json.loads(written["clinic150/splits.json"])["source"]


def test_bao_takes_the_raw_text_and_the_names(tmp_path: Path) -> None:
    written = convert("bao", folder(bao(), tmp_path / "in"), tmp_path / "out")
    rows = rows_of(written["reuters/data.jsonl"])
    assert rows[0] == {"text": "Item of 30.", "label": "wholesale price index", "label_id": 30}
    assert list(rows[0]) == ["text", "label", "label_id"]
    folds = json.loads(written["reuters/splits.json"])["folds"]
    assert [len(side) for side in folds["bao2020"].values()] == [15, 5, 11]
    assert folds["bao2020"]["valid"][0] == "iron and steel"


def test_bao_joins_tokens_where_there_is_no_raw_text(tmp_path: Path) -> None:
    files = bao("huffpost")
    rows = [{"text": ["item", " ", "of", str(n)], "label": str(n)} for n in range(41)]
    written = convert(
        "bao", folder(files | {"data/huffpost.json": lines(rows)}, tmp_path / "in"), tmp_path / "out"
    )
    assert rows_of(written["huffpost/data.jsonl"])[7] == {"text": "item of 7", "label": "7", "label_id": 7}


# as `src/dataset/loader.py` has them: how many, and the first of train
SIZES = {
    "news20": (8, 5, 7, 1),
    "reuters": (15, 5, 11, 0),
    "fewrel": (65, 5, 10, 0),
    "amazon": (10, 5, 9, 2),
    "huffpost": (20, 5, 16, 0),
    "rcv1": (37, 10, 24, 1),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_class_splits_of_bao_cover_every_class_once(name: str) -> None:
    sides = SETS[name].sides()
    assert (*(len(side) for side in sides.values()), sides["train"][0]) == SIZES[name]
    assert sorted(number for side in sides.values() for number in side) == list(range(SETS[name].count))
    assert len(SETS[name].names) in (0, SETS[name].count)


def test_rcv1_without_texts_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = bao() | {"data/rcv1.json": lines([{"path": "1/2.xml", "label": 3}])}
    written = convert("bao", folder(files, tmp_path / "in"), tmp_path / "out")
    assert {name.split("/")[0] for name in written} == {"reuters"}
    assert capsys.readouterr().err == "note: rcv1 is left out: its file has no texts\n"


def test_leopard(tmp_path: Path) -> None:
    written = convert(
        "leopard", folder(leopard(), tmp_path / "in"), tmp_path / "out", "--rows-per-class", "2"
    )
    rows = rows_of(written["leopard/data.jsonl"])
    assert rows[0] == {
        "task": "scitail", "text_a": "first", "text_b": "second", "label": "neutral",
        "split": "train", "episode": 0, "shots": 4,
    }  # fmt: skip
    assert list(rows[0]) == ["task", "text_a", "text_b", "label", "split", "episode", "shots"]
    assert list(rows[1]) == ["task", "text", "label", "split", "episode", "shots"]
    assert field(rows, "split") == ["train", "eval", "eval", "train", "train"]
    assert field(rows, "episode") == [0, None, None, 10, 2]
    assert field(rows, "label")[3:] == ["negative", "5"]
    splits = json.loads(written["leopard/splits.json"])
    assert splits["classes"] == {"scitail": ["neutral"], "sentiment_dvd": ["5", "negative", "positive"]}
    assert splits["label_names_swapped"] == ["sentiment_dvd"]
    said = written["leopard/SOURCE.md"].decode()
    assert "- Files without a row: sentiment_dvd/sentiment_dvd_train_2_16.json.\n" in said
    assert "- Tasks without an evaluation set in this copy: scitail.\n" in said
    assert "- rows per split: eval 2, train 3\n" in said
    assert "- same text in two splits within a task (case and spacing folded): eval-train 0\n" in said


def test_arsc(tmp_path: Path) -> None:
    written = convert("arsc", folder(arsc(), tmp_path / "in"), tmp_path / "out", "--rows-per-class", "1")
    rows = rows_of(written["arsc/data.jsonl"])
    assert list(rows[0]) == ["task", "text", "label", "split"]
    assert {str(row["task"]) for row in rows if row["split"] == "dev"} == {"baby.t2", "baby.t5"}
    support = [row for row in rows if row["task"] == "books.t2" and row["split"] == "train"]
    assert field(support, "text") == ["books t2 train 0", "books t2 train 1"] * 2
    assert field(support, "label") == ["negative"] * 2 + ["positive"] * 2
    assert len([row for row in rows if row["task"] == "baby.t2"]) == 6
    assert json.loads(written["arsc/splits.json"])["task_split"] == {
        "train": ["baby.t2", "baby.t4", "baby.t5"],
        "test": ["books.t2", "books.t4", "books.t5"],
    }
    assert "- Not in this copy, hence no rows of theirs: baby.t4.dev.\n" in written["arsc/SOURCE.md"].decode()


def test_half_a_character_becomes_a_mark(tmp_path: Path) -> None:
    files = protaugment()
    name = "data/BANKING77/full.jsonl"
    files[name] += b'{"sentence": "\\ud83d \\ud83d\\ude00", "label": "a"}\n'
    written = convert("protaugment", folder(files, tmp_path / "in"), tmp_path / "out")
    assert rows_of(written["banking77/data.jsonl"])[-1]["text"] == "\ufffd 😀"


def test_lines_of_arsc_that_are_not_utf8_are_mended(tmp_path: Path) -> None:
    files = arsc()
    files["Amazon_few_shot/baby.t2.train"] = b"ni\xf1o\t1\n"
    written = convert("arsc", folder(files, tmp_path / "in"), tmp_path / "out")
    assert rows_of(written["arsc/data.jsonl"])[0]["text"] == "ni\ufffdo"
    said = written["arsc/SOURCE.md"].decode()
    assert "- 1 lines are not UTF-8 upstream: what is none of it became U+FFFD.\n" in said

import copy
import json
import os
import pickle
from collections.abc import Iterable
from pathlib import Path

import datasets
import pandas as pd
import pyarrow as pa
import pytest

from fewshot.data.example import Example
from fewshot.data.find import Columns
from fewshot.data.pool import Pool
from fewshot.errors import InputError

EXAMPLES = [
    Example("where is my card?", "card"),
    Example("a refund, please", "refund"),
    Example("my card is lost", "card"),
    Example("was ist das?", "Ähnliches"),
]


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def saved(folder: Path, examples: Iterable[Example]) -> str:
    file = folder / "rows.jsonl"
    rows = [{"a": e.text, "b": e.text_pair or "-", "label": e.label} for e in examples]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(file)


def contents(pool: Pool) -> dict[str, list[Example]]:
    return {label: pool.examples(label, range(pool.size(label))) for label in pool.classes}


def test_a_loaded_pool_is_the_pool_of_its_examples(tmp_path: Path) -> None:
    loaded = Pool.load(saved(tmp_path, EXAMPLES), Columns(text="a"))
    assert contents(loaded) == contents(Pool.of(EXAMPLES))


def test_classes_are_sorted_and_examples_keep_their_order() -> None:
    assert list(contents(Pool.of(EXAMPLES)).items()) == [
        ("card", [EXAMPLES[0], EXAMPLES[2]]),
        ("refund", [EXAMPLES[1]]),
        ("Ähnliches", [EXAMPLES[3]]),
    ]


def test_many_classes_come_in_the_same_order_from_a_file(tmp_path: Path) -> None:
    labels = ["10", "9", "b", "B", "é", "z", "a b", "a-b", "a", "𝒜", "\uffee"]
    examples = [Example(f"a text of {label}", label) for label in labels]
    loaded = Pool.load(saved(tmp_path, examples), Columns(text="a"))
    assert list(loaded.classes) == list(Pool.of(examples).classes) == sorted(labels)


@pytest.mark.parametrize("from_file", [True, False])
def test_a_text_repeated_in_a_class_counts_once(from_file: bool, tmp_path: Path) -> None:
    examples = [EXAMPLES[0], EXAMPLES[1], EXAMPLES[0], EXAMPLES[2]]
    pool = Pool.load(saved(tmp_path, examples), Columns(text="a")) if from_file else Pool.of(examples)
    assert contents(pool) == {"card": [EXAMPLES[0], EXAMPLES[2]], "refund": [EXAMPLES[1]]}
    assert len(pool) == 3


def test_a_text_in_two_classes_stays_in_both() -> None:
    pool = Pool.of([Example("same", "a"), Example("same", "b")])
    assert (pool.size("a"), pool.size("b")) == (1, 1)


@pytest.mark.parametrize("from_file", [True, False])
def test_pairs_that_share_one_text_are_two_examples(from_file: bool, tmp_path: Path) -> None:
    examples = [Example("x", "yes", "y"), Example("x", "yes", "z"), Example("x", "yes", "y")]
    columns = Columns(text="a", text_pair="b")
    pool = Pool.load(saved(tmp_path, examples), columns) if from_file else Pool.of(examples)
    assert contents(pool) == {"yes": examples[:2]}


def test_a_pool_knows_its_sizes() -> None:
    pool = Pool.of(EXAMPLES)
    assert len(pool) == 4
    assert [pool.size(label) for label in ("card", "refund", "Ähnliches")] == [2, 1, 1]


def test_part_of_a_pool_keeps_the_given_order_and_says_its_side() -> None:
    part = Pool.of(EXAMPLES, "talk").only(["refund", "card"], "train")
    assert part.classes == ("refund", "card")
    assert part.name == "talk (train)"
    assert contents(part) == {"refund": [EXAMPLES[1]], "card": [EXAMPLES[0], EXAMPLES[2]]}
    assert len(part) == 3


def test_a_part_without_a_side_keeps_the_name() -> None:
    assert Pool.of(EXAMPLES, "talk").only(["card"]).name == "talk"


@pytest.mark.parametrize(
    ("side", "wanted", "what", "got", "advice"),
    [
        (
            "test",
            ["card", "refnd"],
            "the test classes name 1 that the data does not have",
            "'refnd'",
            "did you mean 'refund'?",
        ),
        (
            "",
            ["x", "card", "y"],
            "the wanted classes name 2 that the data does not have",
            "'x', 'y'",
            "choose one of: card, refund, Ähnliches",
        ),
    ],
)
def test_absent_classes_are_named(side: str, wanted: list[str], what: str, got: str, advice: str) -> None:
    with pytest.raises(InputError) as caught:
        Pool.of(EXAMPLES, "talk").only(wanted, side)
    assert str(caught.value) == (
        f"{what}\n"
        "  where:  talk\n"
        f"  got:    {got}\n"
        "  needed: classes among the 3 of the data\n"
        f"  do:     {advice}"
    )


def test_a_copy_of_a_pool_lives_on_its_own() -> None:
    pool = Pool.of([Example(f"text {n} é", "a") for n in range(5)])
    texts = pool.texts()
    copies = [copy.deepcopy(pool), pickle.loads(pickle.dumps(pool))]
    del pool
    _ = [Pool.of([Example("z" * 9, "a") for _ in range(5)]) for _ in range(5)]
    assert [each.texts() for each in copies] == [texts, texts]


def test_rows_of_every_kind_of_string_are_read() -> None:
    words = ["añb", "", "日本", "x" * 50, "😀"]
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        frame = pd.DataFrame(
            {"text": pd.Series([f"{w}!" for w in words], dtype=pd.ArrowDtype(kind)), "label": "a"}
        )
        assert Pool.load(frame).texts() == [f"{word}!" for word in words]


def test_tokens_of_large_strings_become_a_text() -> None:
    tokens = pd.Series([["my", "card"]], dtype=pd.ArrowDtype(pa.list_(pa.large_string())))
    assert Pool.load(pd.DataFrame({"text": tokens, "label": "a"})).texts() == ["my card"]


# Real data


@pytest.mark.data
@pytest.mark.skipif("FEWSHOT_DATA" not in os.environ, reason="the folder FEWSHOT_DATA is not named")
@pytest.mark.parametrize(
    ("name", "classes", "least", "most"),
    [
        ("banking77", 77, 75, 227),
        ("hwu64", 64, 38, 194),
        ("clinic150", 150, 149, 150),
        ("news20", 20, 496, 500),
        ("reuters", 31, 19, 20),  # of twenty rows, two classes have one twice
    ],
)
def test_published_data_has_its_classes(name: str, classes: int, least: int, most: int) -> None:
    pool = Pool.load(name)
    sizes = [pool.size(label) for label in pool.classes]
    assert (len(sizes), min(sizes), max(sizes)) == (classes, least, most)

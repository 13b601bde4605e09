import json
import os
from pathlib import Path
from typing import Any

import datasets
import pytest

from fewshot.data.find import Columns
from fewshot.data.split import SIDES, ClassSplit, Side
from fewshot.errors import InputError
from fewshot.tasks.family import episodes
from fewshot.tasks.nway import NWayKShot

TWELVE = [f"class{n:02}" for n in range(12)]
FOLDS = {
    "01": {"train": TWELVE[:4], "valid": TWELVE[4:8], "test": TWELVE[8:]},
    "02": {"train": TWELVE[8:], "valid": TWELVE[:4], "test": TWELVE[4:8]},
}


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with twelve classes of six texts and two published folds."""
    folder = tmp_path / "talk"
    folder.mkdir()
    rows = [{"text": f"text {n} of {label}", "label": label} for label in TWELVE for n in range(6)]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "splits.json").write_text(json.dumps({"kind": "class", "folds": FOLDS}), encoding="utf-8")
    return folder


def seen(family: NWayKShot, side: Side) -> list[str]:
    """The classes that many episodes of a side use."""
    return sorted({label for episode in episodes(family, side, 0, range(30)) for label in episode.classes})


@pytest.mark.parametrize(("split", "fold"), [(ClassSplit(), "01"), (ClassSplit(fold="02"), "02")])
@pytest.mark.parametrize("side", SIDES)
def test_each_side_uses_the_classes_of_its_fold(
    side: Side, split: ClassSplit, fold: str, source: Path
) -> None:
    assert seen(NWayKShot(str(source), way=3, shot=1, split=split), side) == FOLDS[fold][side]


def test_a_data_file_has_the_folds_of_its_folder(source: Path) -> None:
    assert seen(NWayKShot(str(source / "data.jsonl"), way=3, shot=1), "valid") == FOLDS["01"]["valid"]


def test_drawn_sides_are_disjoint_and_complete(source: Path) -> None:
    family = NWayKShot(str(source), way=2, split=ClassSplit(fractions=(0.5, 0.25, 0.25), seed=1), shot=1)
    sides = {side: seen(family, side) for side in SIDES}
    assert [len(sides[side]) for side in SIDES] == [6, 3, 3]
    assert sorted(label for side in SIDES for label in sides[side]) == TWELVE


def test_episodes_have_the_asked_shape(source: Path) -> None:
    (episode,) = episodes(NWayKShot(str(source), way=4, shot=2, queries=3), "test", 0, [0])
    assert (episode.way, episode.shot, episode.queries) == (4, 2, 3)
    assert episode.source == f"{source} (test)"


def test_a_fresh_family_gives_the_same_episodes(source: Path) -> None:
    first, second = (NWayKShot(str(source), way=3, shot=1) for _ in range(2))
    in_order = list(episodes(first, "test", 3, range(5)))
    assert list(episodes(second, "test", 3, [4, 2])) == [in_order[4], in_order[2]]


def test_a_csv_file_gives_the_same_episodes(source: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (source / "data.jsonl").read_text(encoding="utf-8").splitlines()]
    table = tmp_path / "talk.csv"
    table.write_text("intent,q\n" + "".join(f"{row['label']},{row['text']}\n" for row in lines))
    split = ClassSplit(fractions=(0.5, 0.25, 0.25))
    family = NWayKShot(str(table), way=3, columns=Columns(text="q", label="intent"), split=split, shot=1)
    for one, other in zip(
        episodes(family, "train", 0, range(5)),
        episodes(NWayKShot(str(source), way=3, split=split, shot=1), "train", 0, range(5)),
        strict=True,
    ):
        assert (one.support, one.query, one.classes) == (other.support, other.query, other.classes)


def test_pairs_of_texts_reach_the_episode(source: Path) -> None:
    rows = [{"a": f"a{n}", "b": f"b{n}", "label": label} for n in range(3) for label in ("yes", "no")]
    file = source / "pairs.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    split = ClassSplit(lists={"train": ["yes", "no"]})
    columns = Columns(text="a", text_pair="b")
    family = NWayKShot(str(file), way=2, queries=2, columns=columns, split=split, shot=1)
    (episode,) = episodes(family, "train", 0, [0])
    assert [(e.text_pair or "").replace("b", "a") for e in episode.support] == [
        e.text for e in episode.support
    ]


def test_a_bare_name_is_found_in_fewshot_data(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWSHOT_DATA", str(source.parent))
    assert seen(NWayKShot("talk", way=3, shot=1), "train") == FOLDS["01"]["train"]


# What cannot be drawn is refused before any episode


def complaint(source: Path, way: int = 2, shot: int = 1, queries: int = 2, **split: Any) -> str:
    choice = ClassSplit(**split)
    with pytest.raises(InputError) as caught:
        NWayKShot(str(source), way, shot, queries, split=choice)
    return str(caught.value)


@pytest.mark.parametrize(
    ("counts", "what", "got", "needed"),
    [
        ({"way": 1}, "way is too small", 1, "at least 2"),
        ({"shot": 0}, "shot is too small", 0, "at least 1"),
        ({"queries": 0}, "queries is too small", 0, "at least 1"),
    ],
)
def test_counts_that_are_too_small_are_refused(
    counts: dict[str, int], what: str, got: int, needed: str, source: Path
) -> None:
    assert complaint(source, **counts) == f"{what}\n  where:  family\n  got:    {got}\n  needed: {needed}"


def test_more_ways_than_one_side_has_classes_are_refused(source: Path) -> None:
    lists = {"train": TWELVE[:6], "test": TWELVE[6:9]}
    assert complaint(source, way=4, lists=lists) == (
        "more ways than classes\n"
        f"  where:  {source} (test)\n"
        "  got:    way 4\n"
        "  needed: at most 3, the number of its classes\n"
        "  do:     lower way, or give this side more classes"
    )


def test_small_classes_are_named_with_their_sizes(source: Path) -> None:
    with (source / "data.jsonl").open("a") as file:
        file.write("".join(f'\n{{"text": "more {n}", "label": "class05"}}' for n in range(2)))
    assert complaint(source, shot=5, queries=2, lists={"valid": TWELVE[4:7]}) == (
        "2 of 3 classes have too few examples\n"
        f"  where:  {source} (valid)\n"
        "  got:    class04: 6, class06: 6\n"
        "  needed: 7 in each class (shot 5 + queries 2)\n"
        "  do:     lower shot or queries, or leave these classes out of the split"
    )


def test_absent_classes_in_lists_are_named(source: Path) -> None:
    lists = {"train": TWELVE[:3], "test": ["class11", "clas10"]}
    assert complaint(source, lists=lists) == (
        "the test classes name 1 that the data does not have\n"
        f"  where:  {source}\n"
        "  got:    'clas10'\n"
        "  needed: classes among the 12 of the data\n"
        "  do:     did you mean 'class10'?"
    )


@pytest.mark.parametrize(
    ("split", "what"),
    [
        ({"fold": "03"}, "unknown fold '03'\n  where:  splits.json of talk\n"),
        ({"lists": {"dev": []}}, "unknown side 'dev'\n  where:  split of talk\n"),
        ({"fractions": (1.0, 1.0, 1.0)}, "the fractions are not shares of the classes\n"),
        ({"fold": "01", "fractions": (0.4, 0.3, 0.3)}, "the classes are split in two ways at once\n"),
        ({"lists": {}}, "the split names no classes\n"),
    ],
)
def test_a_wrong_split_is_refused(split: dict[str, Any], what: str, source: Path) -> None:
    assert complaint(source, **split).startswith(what)


def test_a_side_without_classes_is_refused_when_asked_for(source: Path) -> None:
    family = NWayKShot(
        str(source), way=2, split=ClassSplit(lists={"train": TWELVE[:2], "test": TWELVE[2:4]}), shot=1
    )
    with pytest.raises(InputError) as caught:
        family.split("valid")
    assert str(caught.value) == (
        "the split has no valid classes\n"
        f"  where:  split of {source}\n"
        "  got:    classes for train, test only\n"
        "  needed: classes for valid\n"
        "  do:     name them (split.lists) or draw them (split.fractions)"
    )


# Real data


@pytest.mark.data
@pytest.mark.skipif("FEWSHOT_DATA" not in os.environ, reason="the folder FEWSHOT_DATA is not named")
@pytest.mark.parametrize(
    ("name", "fold", "classes"),
    [
        ("banking77", "01", [25, 25, 27]),
        ("hwu64", "01", [16, 23, 25]),
        ("clinic150", "01", [50, 50, 50]),
        ("news20", "bao2020", [8, 5, 7]),
        ("reuters", "bao2020", [15, 5, 11]),
    ],
)
def test_published_data_gives_episodes_on_every_side(name: str, fold: str, classes: list[int]) -> None:
    family = NWayKShot(name, way=5, shot=5, queries=10, split=ClassSplit(fold=fold))
    counts = []
    for side in SIDES:
        found = list(episodes(family, side, 0, range(60)))
        assert {(len(episode.support), len(episode.query)) for episode in found} == {(25, 50)}
        counts.append(len({label for episode in found for label in episode.classes}))
    assert counts == classes

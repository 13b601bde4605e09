import json
from pathlib import Path

import pytest

from fewshot.data.split import SIDES, Classes, ClassSplit, split_classes
from fewshot.errors import InputError

TEN = [f"class{n}" for n in range(10)]
FOLDS = {
    "01": {"train": ["class3", "class1"], "valid": ["class2"], "test": ["class0"]},
    "02": {"train": ["class0"], "valid": ["class1"], "test": ["class2"]},
}


def publish(folder: Path, content: object) -> Path:
    (folder / "splits.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def split(choice: ClassSplit, folder: Path | None = None, classes: list[str] = TEN) -> Classes:
    return split_classes(choice, classes, folder, "talk")


def complaint(choice: ClassSplit, folder: Path | None = None) -> str:
    with pytest.raises(InputError) as caught:
        split(choice, folder)
    return str(caught.value)


def sizes(classes: Classes) -> tuple[int, ...]:
    return tuple(len(classes[side]) for side in SIDES)


@pytest.mark.parametrize(("fold", "name"), [("01", "01"), ("02", "02"), (None, "01")])
def test_a_published_fold_is_taken_as_it_stands(fold: str | None, name: str, tmp_path: Path) -> None:
    folder = publish(tmp_path, {"kind": "class", "folds": FOLDS})
    expected = {side: tuple(labels) for side, labels in FOLDS[name].items()}
    assert split(ClassSplit(fold=fold), folder) == expected


def test_a_fold_may_lack_a_side(tmp_path: Path) -> None:
    folder = publish(tmp_path, {"kind": "class", "folds": {"01": {"train": ["class1"], "test": ["class2"]}}})
    assert split(ClassSplit(), folder) == {"train": ("class1",), "valid": (), "test": ("class2",)}


def test_fractions_overrule_a_published_split(tmp_path: Path) -> None:
    folder = publish(tmp_path, {"kind": "class", "folds": FOLDS})
    choice = ClassSplit(fractions=(0.4, 0.3, 0.3))
    assert split(choice, folder) == split(choice)


@pytest.mark.parametrize("content", [{"kind": "instance", "field": "split"}, {"kind": "class", "folds": {}}])
def test_without_published_classes_they_are_drawn(content: object, tmp_path: Path) -> None:
    folder = publish(tmp_path, content)
    drawn = split(ClassSplit(fractions=(0.5, 0.2, 0.3)))
    assert (
        split(ClassSplit(), folder) == split(ClassSplit(), tmp_path / "none") == split(ClassSplit()) == drawn
    )


@pytest.mark.parametrize(
    ("fractions", "count", "expected"),
    [
        ((0.5, 0.2, 0.3), 10, (5, 2, 3)),
        ((0.4, 0.4, 0.2), 5, (2, 2, 1)),
        ((1.0, 0.0, 0.0), 7, (7, 0, 0)),
        ((0.0, 0.0, 1.0), 7, (0, 0, 7)),
        ((0.6, 0.1, 0.3), 10, (6, 1, 3)),
        ((1 / 3, 1 / 3, 1 / 3), 9, (3, 3, 3)),
    ],
)
def test_fractions_give_their_shares(
    fractions: tuple[float, float, float], count: int, expected: tuple[int, ...]
) -> None:
    classes = [f"c{n}" for n in range(count)]
    drawn = split(ClassSplit(fractions=fractions), classes=classes)
    assert sizes(drawn) == expected
    assert sorted(label for labels in drawn.values() for label in labels) == classes


def test_the_seed_draws_the_classes() -> None:
    drawn = [split(ClassSplit(fractions=(0.5, 0.2, 0.3), seed=seed)) for seed in range(5)]
    assert len({str(classes) for classes in drawn}) == 5
    assert split(ClassSplit(fractions=(0.5, 0.2, 0.3), seed=3)) == drawn[3]


def test_the_drawn_classes_stay_the_same_for_ever() -> None:
    assert split(ClassSplit()) == {
        "train": ("class2", "class3", "class4", "class6", "class7"),
        "valid": ("class5", "class9"),
        "test": ("class0", "class1", "class8"),
    }


def test_lists_are_taken_as_they_stand() -> None:
    lists = {"test": ["class9", "class0"], "train": ["class5"]}
    assert split(ClassSplit(lists=lists)) == {
        "train": ("class5",),
        "valid": (),
        "test": ("class9", "class0"),
    }


@pytest.mark.parametrize(
    ("fold", "advice"), [("001x", "did you mean '01'?"), ("first", "choose one of: 01, 02")]
)
def test_an_unknown_fold_is_named(fold: str, advice: str, tmp_path: Path) -> None:
    assert complaint(ClassSplit(fold=fold), publish(tmp_path, {"kind": "class", "folds": FOLDS})) == (
        f"unknown fold '{fold}'\n"
        "  where:  splits.json of talk\n"
        "  got:    the folds 01, 02\n"
        "  needed: a fold that it names\n"
        f"  do:     {advice}"
    )


@pytest.mark.parametrize("fold", ["02", "2", 2])
def test_a_fold_is_found_as_a_number_too(fold: str | int, tmp_path: Path) -> None:
    folder = publish(tmp_path, {"kind": "class", "folds": FOLDS})
    assert split(ClassSplit(fold=fold), folder) == split(ClassSplit(fold="02"), folder)


def test_a_fold_without_a_published_split_is_refused() -> None:
    assert complaint(ClassSplit(fold="01")) == (
        "unknown fold '01'\n"
        "  where:  splits.json of talk\n"
        "  got:    no published class split\n"
        "  needed: a fold that it names\n"
        "  do:     use lists or fractions"
    )


@pytest.mark.parametrize(
    ("side", "advice"),
    [("trian", "did you mean 'train'?"), ("dev", "choose one of: test, train, valid")],
)
def test_an_unknown_side_is_named(side: str, advice: str) -> None:
    assert complaint(ClassSplit(lists={"test": ["class1"], side: ["class2"]})) == (
        f"unknown side '{side}'\n  where:  split of talk\n  needed: train, valid, test\n  do:     {advice}"
    )


@pytest.mark.parametrize(("first", "second"), [("train", "test"), ("train", "valid"), ("valid", "test")])
def test_a_class_on_two_sides_is_named(first: str, second: str) -> None:
    lists = {second: ["class3", "class2"], first: ["class1", "class2"]}
    assert complaint(ClassSplit(lists=lists)) == (
        "the class 'class2' stands on two sides\n"
        "  where:  split of talk\n"
        f"  got:    {first} and {second}\n"
        "  needed: disjoint classes: what is tested must not have been trained on"
    )


def test_a_published_class_on_two_sides_is_named(tmp_path: Path) -> None:
    folds = {"01": {"train": ["class1"], "valid": [], "test": ["class1"]}}
    assert complaint(ClassSplit(), publish(tmp_path, {"kind": "class", "folds": folds})) == (
        "the class 'class1' stands on two sides\n"
        "  where:  split of talk\n"
        "  got:    train and test\n"
        "  needed: disjoint classes: what is tested must not have been trained on"
    )


@pytest.mark.parametrize(
    ("fractions", "got"),
    [
        ((0.5, 0.2, 0.2), "0.5, 0.2, 0.2"),
        ((0.5, 0.5, 0.5), "0.5, 0.5, 0.5"),
        ((1.0, 0.5, -0.5), "1.0, 0.5, -0.5"),
        ((float("nan"), 0.5, 0.5), "nan, 0.5, 0.5"),
        ((0.5, float("nan"), 0.5), "0.5, nan, 0.5"),
    ],
)
def test_fractions_that_are_no_shares_are_refused(fractions: tuple[float, float, float], got: str) -> None:
    assert complaint(ClassSplit(fractions=fractions)) == (
        "the fractions are not shares of the classes\n"
        "  where:  split of talk\n"
        f"  got:    {got}\n"
        "  needed: three numbers from 0 to 1 that add up to 1"
    )


@pytest.mark.parametrize(
    ("choice", "got"),
    [
        (ClassSplit(fold="01", fractions=(0.5, 0.2, 0.3)), "fold, fractions"),
        (ClassSplit(fold="01", lists={"train": ["class1"]}), "fold, lists"),
        (ClassSplit(lists={"train": ["class1"]}, fractions=(0.5, 0.2, 0.3)), "lists, fractions"),
    ],
)
def test_two_choices_at_once_are_refused(choice: ClassSplit, got: str, tmp_path: Path) -> None:
    assert complaint(choice, publish(tmp_path, {"kind": "class", "folds": FOLDS})) == (
        "the classes are split in two ways at once\n"
        "  where:  split of talk\n"
        f"  got:    {got}\n"
        "  needed: one of fold, lists, fractions"
    )


@pytest.mark.parametrize("lists", [{}, {"train": []}, {"train": [], "valid": [], "test": []}])
def test_a_split_without_classes_is_refused(lists: dict[str, list[str]]) -> None:
    assert complaint(ClassSplit(lists=lists)) == (
        "the split names no classes\n  where:  split of talk\n  needed: classes on one side at least"
    )


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"kind": "class"}', "'folds'"),
        (b'{"folds": {}}', "'kind'"),
        (b'["class"]', "list indices must be integers or slices, not str"),
        (b'{"kind": "class", "folds": ["01"]}', "'list' object has no attribute 'values'"),
        (b'{"kind": "class", "folds": {"01": 5}}', "'int' object has no attribute 'values'"),
        (
            b'{"kind": "\xe9"}',
            "'utf-8' codec can't decode byte 0xe9 in position 10: invalid continuation byte",
        ),
    ],
)
def test_a_broken_file_of_splits_is_named(content: bytes, got: str, tmp_path: Path) -> None:
    file = tmp_path / "splits.json"
    file.write_bytes(content)
    assert complaint(ClassSplit(), tmp_path) == (
        "the file of splits cannot be read\n"
        f"  where:  {file}\n"
        f"  got:    {got}\n"
        '  needed: {"kind": "class", "folds": {"01": {"train": [...], "valid": [...], "test": [...]}}}'
    )

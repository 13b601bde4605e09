import numpy as np
import pytest

from fewshot.data.augment import OPERATIONS, Augmentation
from fewshot.data.example import Example
from fewshot.errors import InputError

TEXT = "where is the card that i ordered last week"


def applied(operation: str, rate: float = 0.2, times: int = 200) -> list[list[str]]:
    generator = np.random.default_rng(0)
    return [OPERATIONS[operation](TEXT, rate, generator).split() for _ in range(times)]


def test_dropping_leaves_words_out_in_their_order() -> None:
    found = applied("drop")
    words = TEXT.split()
    assert all(set(each) <= set(words) and each == [w for w in words if w in each] for each in found)
    share = 1 - sum(map(len, found)) / (len(words) * len(found))
    assert abs(share - 0.2) < 0.03


def test_dropping_never_leaves_nothing() -> None:
    assert all(len(each) == 1 for each in applied("drop", rate=1.0))


def test_swapping_keeps_the_words() -> None:
    assert all(sorted(each) == sorted(TEXT.split()) for each in applied("swap"))
    assert sum(each != TEXT.split() for each in applied("swap")) > 190


def test_repeating_adds_words_of_the_text() -> None:
    found = applied("repeat")
    assert all(len(each) == 11 and set(each) == set(TEXT.split()) for each in found)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_single_word_is_no_obstacle(operation: str) -> None:
    assert set(OPERATIONS[operation]("word", 0.5, np.random.default_rng(0)).split()) == {"word"}


def shout(text: str, rate: float, generator: np.random.Generator) -> str:
    return text.upper()


def test_copies_keep_label_and_pair_and_differ_from_the_text() -> None:
    example = Example(TEXT, "card", "other")
    made = Augmentation(copies=3).copies_of(example, np.random.default_rng(0))
    assert made
    assert all((e.label, e.text_pair) == ("card", "other") and e.text != TEXT for e in made)


def test_an_operation_of_ones_own_goes_by_its_import_path() -> None:
    settings = Augmentation(copies=1, operations=["test_augment.shout"])
    assert settings.copies_of(Example("hi", "x"), np.random.default_rng(0)) == [Example("HI", "x")]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (
            {"operations": ["swop"]},
            "unknown operation 'swop'\n  where:  augmentation.operations\n"
            "  needed: one of drop, swap, repeat, or the import path of a function\n"
            "  do:     did you mean 'swap'?",
        ),
        ({"copies": -1}, "augmentation.copies is too small\n  got:    -1\n  needed: 0 or more"),
        ({"rate": 1.5}, "augmentation.rate is too large\n  got:    1.5\n  needed: a share, 0 to 1"),
        (
            {"copies": 1, "operations": []},
            "there are no operations to make copies with\n  where:  augmentation.operations\n"
            "  needed: some of drop, swap, repeat",
        ),
        (
            {"sides": "test"},
            "unknown setting\n  where:  augmentation.sides\n  got:    'test'\n  needed: 'train' or 'all'",
        ),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        Augmentation(**settings)  # type: ignore[arg-type]
    assert str(caught.value) == complaint

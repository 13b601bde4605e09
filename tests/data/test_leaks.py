import numpy as np
import pytest

from fewshot.data import leaks
from fewshot.data.example import Example
from fewshot.data.leaks import LeakReport, find_leaks
from fewshot.data.pool import Pool
from fewshot.data.split import Side
from fewshot.errors import InputError

LONG = "where is the card that i ordered last week from your shop in the city"


def report(train: list[str], test: list[str], names: dict[Side, set[str]] | None = None) -> LeakReport:
    sides: dict[Side, list[str]] = {"train": train, "test": test}
    pools = {side: [Pool.of([Example(text, side) for text in texts])] for side, texts in sides.items()}
    return find_leaks(names or {"train": {"a"}, "test": {"b"}}, pools)


def kinds(found: LeakReport) -> dict[str, int]:
    return {leak.kind: leak.count for leak in found.leaks}


def test_sides_that_are_apart_have_no_leak() -> None:
    found = report(["one text", "another text"], ["something else", "nothing alike"])
    assert kinds(found) == {}
    assert dict(found.texts) == {"train": 2, "test": 2}
    assert found.complete
    found.refuse()


def test_a_text_on_two_sides_is_found_whatever_its_case_and_signs() -> None:
    found = report(["Where is my card?", "one"], ["where is my   CARD", "two"])
    assert kinds(found) == {"text": 1}
    assert found.leaks[0].examples == ("where is my   CARD",)
    assert found.leaks[0].sides == ("train", "test")


def test_texts_of_signs_alone_are_not_alike() -> None:
    assert kinds(report(["?!"], ["..."])) == {}


@pytest.mark.parametrize(
    ("other", "near"),
    [
        (LONG + " please", True),
        (LONG.replace("week", "weeks"), True),
        ("so " + LONG, True),
        ("where is the parcel that you sent to my house", False),
        (" ".join(reversed(LONG.split())), False),
    ],
)
def test_near_duplicates_are_found_and_others_are_not(other: str, near: bool) -> None:
    assert kinds(report([LONG, "filler"], [other])) == ({"near-duplicate": 1} if near else {})


def test_near_duplicates_are_those_that_all_pairs_would_give() -> None:
    """MinHash in bands against the comparison of all pairs, on texts that differ by up to five words."""
    generator = np.random.default_rng(0)
    words = [f"word{n}" for n in range(400)]
    base = [list(generator.choice(words, 20)) for _ in range(60)]
    changed = []
    for n, text in enumerate(base):
        copy = list(text)
        for place in generator.choice(20, n % 6, replace=False):
            copy[place] = words[generator.integers(400)]
        changed.append(copy)
    left, right = ([" ".join(each) for each in texts] for texts in (base, changed))

    def shingles(text: str) -> set[str]:
        return {text[n : n + 5] for n in range(len(text) - 4)}

    def alike(one: str, other: str) -> bool:
        a, b = shingles(one), shingles(other)
        return len(a & b) / len(a | b) >= 0.8

    exact = {
        t for t in right if t not in left and any(alike(t, other) for other in left if other not in right)
    }
    assert 10 < len(exact) < 50
    assert kinds(report(left, right))["near-duplicate"] == len(exact)


def test_classes_on_two_sides_are_a_leak() -> None:
    found = report(["x y z"], ["u v w"], {"train": {"card", "cash"}, "test": {"card"}})
    assert kinds(found) == {"class": 1}
    assert str(found.leaks[0]) == "1 classes on two sides (train and test), such as 'card'"


def test_strict_refuses_with_what_was_found() -> None:
    found = report(["same", LONG], ["Same!", LONG + " now"], {"train": {"a"}, "test": {"a"}})
    with pytest.raises(InputError) as caught:
        found.refuse()
    assert str(caught.value) == (
        "the sides are not apart: 1 classes on two sides (train and test), such as 'a'\n"
        "  where:  --strict\n"
        "  got:    1 classes (train and test), 1 texts (train and test), 1 near-duplicates (train and test)\n"
        "  needed: classes and texts that stand on one side alone\n"
        "  do:     clean the data (reading.cleaning.duplicates pool), choose another split, or "
        "leave --strict out"
    )


def test_the_content_of_a_report_is_plain() -> None:
    content = report(["same"], ["Same!"]).content()
    assert content == {
        "leaks": [{"kind": "text", "sides": ("train", "test"), "count": 1, "examples": ("Same!",)}],
        "texts": {"train": 1, "test": 1},
        "complete": True,
    }


def test_texts_of_one_template_do_not_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "COMPARISONS", 2000)
    texts = [f"please book a table for {n} at the {n * 7} place on {n * 3} day" for n in range(400)]
    found = report(texts[::2], texts[1::2])
    assert not found.complete

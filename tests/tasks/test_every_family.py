"""Every family keeps the contract, on rows in memory and on real data; one that does not is found out."""

import os
import random

import numpy as np
import pytest
from tasks.made import FAMILIES_MADE, TWELVE, Made, rows

from fewshot.data.example import Example
from fewshot.data.pool import Pool
from fewshot.data.split import Side
from fewshot.tasks.episode import Episode
from fewshot.tasks.families import FAMILIES
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.nway import NWayKShot
from fewshot.testing import FAMILY_CONTRACT, check_family
from fewshot.testing.families import Promise


@pytest.mark.parametrize("check", FAMILY_CONTRACT.values(), ids=FAMILY_CONTRACT)
@pytest.mark.parametrize("made", FAMILIES_MADE.values(), ids=FAMILIES_MADE)
def test_every_family_keeps_the_contract(made: Made, check: object) -> None:
    check(made.make, Promise(made.sides, 12, made.balanced))  # type: ignore[operator]


def test_every_known_family_is_made_here() -> None:
    assert set(FAMILIES) <= set(FAMILIES_MADE)


class Broken(TaskFamily):
    """Good episodes of two classes, as long as a subclass breaks nothing."""

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        drawn = [Example(f"{c} {n}", c) for c in "ab" for n in generator.permutation(50)[:5].tolist()]
        order = generator.permutation(10)
        mixed = [drawn[n] for n in order]
        return Episode(tuple(mixed[:6]), tuple(mixed[6:]), ("a", "b"))


class Fixed(Broken):
    """Draws each class on its own, so that it is balanced."""

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        drawn = [Example(f"{c} {n}", c) for c in "ab" for n in generator.permutation(50)[:5].tolist()]
        support = [example for n, example in enumerate(drawn) if n % 5 < 3]
        return Episode(
            tuple(support[n] for n in generator.permutation(6)),
            tuple(example for n, example in enumerate(drawn) if n % 5 >= 3),
            ("a", "b"),
        )


class Counting(Fixed):
    def __init__(self) -> None:
        self.drawn = 0

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        self.drawn += 1
        generator.random(self.drawn)
        return super().episode(index, generator)


class Stubborn(Fixed):
    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        return super().episode(index, np.random.default_rng(index))


class Global(Fixed):
    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        return super().episode(index, np.random.default_rng(random.randrange(1000)))


class Repeating(Fixed):
    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        drawn = super().episode(index, generator)
        first = drawn.support[0]
        twin = Example(first.text, "b" if first.label == "a" else "a")
        return Episode(drawn.support, (*drawn.query, twin), drawn.classes)


class Sorted(Fixed):
    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        drawn = super().episode(index, generator)
        support = sorted(drawn.support, key=lambda example: example.label)
        return Episode(tuple(support), drawn.query, drawn.classes)


class Leaking(Fixed):
    def split(self, side: Side) -> TaskFamily:
        return self

    def classes(self) -> dict[str, list[str]]:
        return {"": ["a", "b"]}

    def pools(self) -> tuple[Pool, ...]:
        return ()


class Forgetful(Fixed):
    """Draws other classes the second time."""

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        drawn = self.episode(0, generator)
        return Episode(drawn.support, drawn.query, ("b", "a"))


class Unmoved(Fixed):
    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        return episode


def test_a_good_family_passes() -> None:
    check_family(Fixed, count=10, balanced=True)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Counting, "of the same seed differ when drawn in another order"),
        (Stubborn, "the seeds 0 and 1 give the same 10 episodes"),
        (Global, "differ when drawn in another order|depend on a global random generator"),
        (Repeating, "in support and query"),
        (Broken, "examples of its classes|no support for"),
        (Sorted, "every support set is sorted by class"),
        (Leaking, "2 classes on two sides"),
        (Forgetful, "draw 1 of episode 0 has other classes"),
        (Unmoved, "drawing again gives the same episodes"),
    ],
)
def test_a_broken_family_is_found_out(broken: type[Fixed], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_family(broken, count=10, balanced=True)


@pytest.mark.data
@pytest.mark.skipif("FEWSHOT_DATA" not in os.environ, reason="the folder FEWSHOT_DATA is not named")
@pytest.mark.parametrize("name", ["banking77", "hwu64", "clinic150", "news20"])
def test_published_data_keeps_the_contract(name: str) -> None:
    family = NWayKShot(name, 5, 5, 5)
    check_family(lambda: family, count=5, balanced=True)


def test_rows_in_memory_are_like_any_other(tmp_path: object) -> None:
    family = NWayKShot(rows(TWELVE), 2, 3, 2)
    assert {len(family.split(side).classes()["memory (" + side + ")"]) for side in ("train", "test")} == {
        6,
        4,
    }

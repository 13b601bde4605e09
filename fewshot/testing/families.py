"""The contract of a task family.

    from fewshot.testing import check_family
    check_family(lambda: MyFamily("data.csv"))

Each check raises AssertionError; `FAMILY_CONTRACT` has them one by one, for a parametrised test.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fewshot.data.example import Example
from fewshot.data.split import SIDES, Side
from fewshot.errors import InputError
from fewshot.tasks.apart import leaks_of
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily, episodes

MakeFamily = Callable[[], TaskFamily]


@dataclass(frozen=True)
class Promise:
    """What the checks draw, and what the family promises.

    Args:
        sides: those that it has.
        count: episodes of each side that are drawn.
        balanced: every class of an episode has as many support, and as many query examples as any other.
    """

    sides: Sequence[Side] = SIDES
    count: int = 20
    balanced: bool = False


def check_family(
    make: MakeFamily, sides: Sequence[Side] = SIDES, count: int = 20, balanced: bool = False
) -> None:
    """Runs the whole contract.

    Args:
        make: gives the family, anew each time and always the same.
        sides: those that it has.
        count: episodes of each side that are drawn.
        balanced: it promises the same number of examples for every class of an episode.

    Raises:
        AssertionError: the family breaks the contract.
    """
    promise = Promise(sides, count, balanced)
    for check in FAMILY_CONTRACT.values():
        check(make, promise)


def the_same_seed_gives_the_same_episodes(make: MakeFamily, promise: Promise) -> None:
    """In a new family, in any order, whatever was drawn before."""
    for side in promise.sides:
        first = _drawn(make(), side, range(promise.count))
        again = _drawn(make(), side, reversed(range(promise.count)))[::-1]
        wrong = [n for n, (a, b) in enumerate(zip(first, again, strict=True)) if a != b]
        assert not wrong, f"{side}: the episodes {wrong} of the same seed differ when drawn in another order"


def another_seed_gives_other_episodes(make: MakeFamily, promise: Promise) -> None:
    """The generator that is handed in decides."""
    for side in promise.sides:
        family = make()
        one, other = (_drawn(family, side, range(promise.count), seed) for seed in (0, 1))
        assert one != other, f"{side}: the seeds 0 and 1 give the same {promise.count} episodes"


def randomness_comes_from_the_generator_alone(make: MakeFamily, promise: Promise) -> None:
    """The global generators are neither used nor moved."""
    for side in promise.sides:
        family = make()
        found = []
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)
            found.append(_drawn(family, side, range(promise.count)))
        assert found[0] == found[1], f"{side}: the episodes depend on a global random generator"


def support_and_query_are_disjoint(make: MakeFamily, promise: Promise) -> None:
    """No text of a query set, with its pair, stands in the support set, under whatever label."""
    for side, number, episode in _all(make, promise):
        seen = {_texts(example) for example in episode.learned_from}
        both = [example for example in (*episode.query, *episode.outside) if _texts(example) in seen]
        assert not both, f"{side}, episode {number}: in support and query: {both[0].text!r}"


def labels_are_in_range(make: MakeFamily, promise: Promise) -> None:
    """Every label is one of the classes, and every class has support; free texts have no classes."""
    for side, number, episode in _all(make, promise):
        where = f"{side}, episode {number}"
        if not episode.classes:
            assert all(example.label for example in episode.support + episode.query), f"{where}: no output"
            continue
        numbers = episode.numbers(episode.support + episode.query)
        assert set(numbers) <= set(range(episode.way)), f"{where}: a label outside its classes"
        missing = set(episode.classes) - {example.label for example in episode.support}
        assert not missing, f"{where}: no support for {missing}"


def classes_are_balanced(make: MakeFamily, promise: Promise) -> None:
    """Where that is promised."""
    for side, number, episode in _all(make, promise) if promise.balanced else ():
        for name, examples in (("support", episode.support), ("query", episode.query)):
            counts = Counter(example.label for example in examples)
            even = len(set(counts.values())) == 1 and set(counts) == set(episode.classes)
            assert even, f"{side}, episode {number}: {name} examples of its classes: {dict(counts)}"


def support_sets_are_shuffled(make: MakeFamily, promise: Promise) -> None:
    """A model that reads the order must not find the labels in it."""
    for side in promise.sides:
        drawn = _drawn(make(), side, range(promise.count))
        several = [e for e in drawn if e.classes and len(e.support) > 2 * e.way]
        sorted_ones = [e for e in several if e.numbers(e.support) == sorted(e.numbers(e.support))]
        few = len(several) < 3 or len(sorted_ones) < len(several)
        assert few, f"{side}: every support set is sorted by class"


def classes_stand_on_one_side(make: MakeFamily, promise: Promise) -> None:
    """Classes, or tasks where the sides differ by tasks, are disjoint; texts are for `--strict` to judge."""
    shared = leaks_of(make(), texts=False).leaks
    assert not shared, str(shared[0])


def drawing_again_keeps_the_classes(make: MakeFamily, promise: Promise) -> None:
    """Where a family can: other examples of the classes of an episode, after that episode itself."""
    for side in promise.sides:
        once = _drawn(make(), side, range(promise.count))
        try:
            thrice = list(episodes(make(), side, 0, range(3 * promise.count), repeats=3))
        except InputError:
            continue
        assert thrice[::3] == once, f"{side}: the first of three draws is not the episode itself"
        for number, episode in enumerate(thrice):
            first = once[number // 3]
            kept = (episode.source, episode.classes) == (first.source, first.classes)
            assert kept, f"{side}: draw {number % 3} of episode {number // 3} has other classes"
        others = [drawn for number, drawn in enumerate(thrice) if number % 3]
        repeated = sum(drawn == once[number // 2] for number, drawn in enumerate(others))
        assert repeated < len(others), f"{side}: drawing again gives the same episodes"


FAMILY_CONTRACT: dict[str, Callable[[MakeFamily, Promise], None]] = {
    check.__name__: check
    for check in (
        the_same_seed_gives_the_same_episodes,
        another_seed_gives_other_episodes,
        randomness_comes_from_the_generator_alone,
        support_and_query_are_disjoint,
        labels_are_in_range,
        classes_are_balanced,
        support_sets_are_shuffled,
        classes_stand_on_one_side,
        drawing_again_keeps_the_classes,
    )
}


def _drawn(family: TaskFamily, side: Side, indices: Iterable[int], seed: int = 0) -> list[Episode]:
    return list(episodes(family, side, seed, indices))


def _all(make: MakeFamily, promise: Promise) -> list[tuple[Side, int, Episode]]:
    family = make()
    return [
        (side, number, episode)
        for side in promise.sides
        for number, episode in enumerate(_drawn(family, side, range(promise.count)))
    ]


def _texts(example: Example) -> tuple[str, str | None]:
    return example.text, example.text_pair

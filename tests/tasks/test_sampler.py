from collections import Counter
from itertools import pairwise

import pytest

from fewshot.data.example import Example
from fewshot.data.pool import Pool
from fewshot.data.split import Side
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import episodes
from fewshot.tasks.sampler import PoolTasks

CLASSES = ("art", "bees", "cars", "dogs", "eggs", "fog")


def pool(size: int = 10) -> Pool:
    return Pool.of([Example(f"{label} {n}", label) for n in range(size) for label in CLASSES], "things")


def drawn(
    count: int, way: int = 4, shot: int = 3, queries: int = 2, seed: int = 0, side: Side = "train"
) -> list[Episode]:
    return list(episodes(PoolTasks(pool(), way, shot, queries), side, seed, range(count)))


def labels(examples: tuple[Example, ...]) -> list[str]:
    return [example.label for example in examples]


def in_blocks(examples: tuple[Example, ...], way: int) -> bool:
    return sum(a != b for a, b in pairwise(labels(examples))) == way - 1


# What an episode holds


@pytest.mark.parametrize(("way", "shot", "queries"), [(2, 1, 1), (3, 5, 2), (6, 1, 9), (4, 9, 1)])
def test_each_class_gives_k_support_and_q_query_examples(way: int, shot: int, queries: int) -> None:
    for episode in drawn(20, way, shot, queries):
        assert len(set(episode.classes)) == way == len(episode.classes)
        assert Counter(labels(episode.support)) == dict.fromkeys(episode.classes, shot)
        assert Counter(labels(episode.query)) == dict.fromkeys(episode.classes, queries)


def test_no_example_stands_twice_in_an_episode() -> None:
    for episode in drawn(50, way=6, shot=5, queries=5):
        assert len(set(episode.support + episode.query)) == 60


def test_every_example_comes_from_the_pool_under_its_label() -> None:
    known = {example for label in CLASSES for example in (Example(f"{label} {n}", label) for n in range(10))}
    for episode in drawn(20):
        assert set(episode.support + episode.query) <= known
        assert episode.source == "things"


def test_examples_are_shuffled() -> None:
    found = drawn(50)
    assert sum(in_blocks(episode.support, 4) for episode in found) <= 5
    assert sum(in_blocks(episode.query, 4) for episode in found) <= 5
    firsts = [episode.classes.index(episode.support[0].label) for episode in found]
    assert set(firsts) == {0, 1, 2, 3}


def test_classes_are_drawn_evenly_and_in_any_order() -> None:
    found = drawn(600, way=2, shot=1, queries=1)
    pairs = Counter(episode.classes for episode in found)
    assert len(pairs) == 30
    assert max(pairs.values()) < 40


def test_every_example_is_drawn_for_either_side() -> None:
    found = drawn(200)
    assert len({example for episode in found for example in episode.support}) == 60
    assert len({example for episode in found for example in episode.query}) == 60


# Which episode it is


def test_an_episode_does_not_depend_on_what_was_drawn_before() -> None:
    tasks = PoolTasks(pool(), 4, 3, 2)
    in_order = list(episodes(tasks, "test", 7, range(10)))
    assert list(episodes(tasks, "test", 7, reversed(range(10)))) == in_order[::-1]
    assert list(episodes(tasks, "test", 7, [4])) == [in_order[4]]


def test_a_fresh_family_gives_the_same_episodes() -> None:
    assert drawn(10, seed=7) == drawn(10, seed=7)


def test_other_seeds_sides_and_indices_give_other_episodes() -> None:
    sides: tuple[Side, ...] = ("train", "valid", "test")
    found = [episode for seed in range(4) for side in sides for episode in drawn(5, seed=seed, side=side)]
    assert len(set(found)) == 60


def test_this_episode_stays_the_same_for_ever() -> None:
    (episode,) = episodes(PoolTasks(pool(), 3, 2, 1), "train", 42, [5])
    support = ["fog 5", "fog 9", "art 4", "art 6", "bees 0", "bees 4"]
    assert episode.classes == ("art", "fog", "bees")
    assert [example.text for example in episode.support] == support
    assert [example.text for example in episode.query] == ["fog 3", "art 8", "bees 2"]


# What cannot be drawn


def complaint(of: Pool, way: int = 2, shot: int = 1, queries: int = 1) -> str:
    with pytest.raises(InputError) as caught:
        PoolTasks(of, way, shot, queries)
    return str(caught.value)


@pytest.mark.parametrize(
    ("counts", "what", "got", "needed"),
    [
        ({"way": 1}, "way is too small", 1, "at least 2"),
        ({"way": 0}, "way is too small", 0, "at least 2"),
        ({"shot": 0}, "shot is too small", 0, "at least 1"),
        ({"queries": 0}, "queries is too small", 0, "at least 1"),
        ({"shot": -1}, "shot is too small", -1, "at least 1"),
    ],
)
def test_counts_that_are_too_small_are_refused(
    counts: dict[str, int], what: str, got: int, needed: str
) -> None:
    assert complaint(pool(), **counts) == f"{what}\n  where:  family\n  got:    {got}\n  needed: {needed}"


def test_more_ways_than_classes_are_refused() -> None:
    assert complaint(pool(), way=7) == (
        "more ways than classes\n"
        "  where:  things\n"
        "  got:    way 7\n"
        "  needed: at most 6, the number of its classes\n"
        "  do:     lower way, or give this side more classes"
    )


def test_classes_with_too_few_examples_are_named() -> None:
    extra = [Example(f"more {label} {n}", label) for label in ("bees", "fog") for n in range(3)]
    small = [Example(f"{label} {n}", label) for n in range(5) for label in CLASSES if label != "dogs"]
    short = Pool.of([*small, *extra, Example("a dog", "dogs")], "things")
    assert complaint(short, shot=4, queries=3) == (
        "4 of 6 classes have too few examples\n"
        "  where:  things\n"
        "  got:    art: 5, cars: 5, dogs: 1, eggs: 5\n"
        "  needed: 7 in each class (shot 4 + queries 3)\n"
        "  do:     lower shot or queries, or leave these classes out of the split"
    )


def test_the_last_example_may_be_used() -> None:
    assert len(drawn(1, way=6, shot=9, queries=1)) == 1
    assert "have too few examples" in complaint(pool(), way=6, shot=9, queries=2)


def test_long_lists_of_small_classes_are_cut() -> None:
    small = Pool.of([Example("x", f"c{n:02}") for n in range(12)], "things")
    assert complaint(small) == (
        "12 of 12 classes have too few examples\n"
        "  where:  things\n"
        "  got:    c00: 1, c01: 1, c02: 1, c03: 1, c04: 1, c05: 1, c06: 1, c07: 1, and 4 more\n"
        "  needed: 2 in each class (shot 1 + queries 1)\n"
        "  do:     lower shot or queries, or leave these classes out of the split"
    )

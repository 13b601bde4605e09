import re
from collections import Counter
from itertools import pairwise
from typing import Any, Literal

import pytest

from fewshot.data.split import SIDES, Side
from fewshot.errors import InputError
from fewshot.tasks.attributes import DISJOINT_KINDS, SHARED_KINDS, Attributes
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import episodes
from fewshot.tasks.grammar import KINDS, Kind

Setting = Literal["shared", "disjoint"]
BOTH = [(kinds, side) for kinds in ("shared", "disjoint") for side in SIDES]


def used_kinds(kinds: Setting, side: Side) -> tuple[Kind, ...]:
    return SHARED_KINDS if kinds == "shared" else DISJOINT_KINDS[side]


def drawn(count: int, side: Side = "train", seed: int = 0, **options: Any) -> list[Episode]:
    return list(episodes(Attributes(**options), side, seed, range(count)))


def words(text: str) -> list[str]:
    return re.findall(r"[\w'-]+", text.lower())


def mentioned(text: str, kinds: tuple[Kind, ...], side: Side) -> dict[str, str]:
    """Kind -> value, for each whole word that is a value; no kind may come twice."""
    kind_of = {value.lower(): kind.name for kind in kinds for value in kind.values(side)}
    found = [(kind_of[word], word) for word in words(text) if word in kind_of]
    assert len(dict(found)) == len(found), text
    return dict(found)


# The grammar


def test_there_are_twenty_kinds_with_names_of_their_own() -> None:
    assert len(KINDS) == len({kind.name for kind in KINDS}) == 20


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_values_of_a_kind_are_disjoint_between_sides(kind: Kind) -> None:
    assert [len(kind.values(side)) for side in SIDES] == [10, 5, 5]
    assert len({value for side in SIDES for value in kind.values(side)}) == 20


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_phrase_holds_its_value_once(kind: Kind) -> None:
    assert len(set(kind.phrases)) == len(kind.phrases) >= 2
    assert [phrase.count("{}") for phrase in kind.phrases] == [1] * len(kind.phrases)


def test_no_value_belongs_to_two_kinds() -> None:
    owners = Counter(value.lower() for kind in KINDS for side in SIDES for value in kind.values(side))
    assert len(owners) == 400
    assert set(owners.values()) == {1}


def test_every_value_is_one_word() -> None:
    values = [value for kind in KINDS for side in SIDES for value in kind.values(side)]
    assert [value for value in values if words(value) != [value.lower()]] == []


def test_disjoint_kinds_are_disjoint() -> None:
    names = {side: {kind.name for kind in DISJOINT_KINDS[side]} for side in SIDES}
    assert [len(names[side]) for side in SIDES] == [10, 5, 5]
    assert len(set.union(*names.values())) == 20


# What an episode holds


@pytest.mark.parametrize(("kinds", "side"), BOTH)
@pytest.mark.parametrize("mentions", [2, 5])
def test_a_sentence_mentions_so_many_attributes_of_its_side(
    mentions: int, kinds: Setting, side: Side
) -> None:
    used = used_kinds(kinds, side)
    found = set()
    for episode in drawn(60, side, kinds=kinds, mentions=mentions, shot=2, queries=2):
        for example in episode.support + episode.query:
            attributes = mentioned(example.text, used, side)
            assert len(attributes) == mentions, example.text
            found |= set(attributes.values())
    assert found == {value.lower() for kind in used for value in kind.values(side)}


@pytest.mark.parametrize("side", SIDES)
def test_a_sentence_never_uses_values_of_another_side(side: Side) -> None:
    others = [other for other in SIDES if other != side]
    foreign = {value.lower() for kind in SHARED_KINDS for other in others for value in kind.values(other)}
    for episode in drawn(40, side):
        for example in episode.support + episode.query:
            assert not foreign & set(words(example.text)), example.text


@pytest.mark.parametrize(("kinds", "side"), BOTH)
def test_the_label_is_the_value_of_the_asked_attribute(kinds: Setting, side: Side) -> None:
    asked = set()
    for episode in drawn(60, side, kinds=kinds, mentions=5, shot=1, queries=1):
        family, _, name = episode.source.partition("/")
        assert family == "attributes"
        asked.add(name)
        for example in episode.support + episode.query:
            attributes = mentioned(example.text, used_kinds(kinds, side), side)
            assert attributes[name] == example.label.lower()
    assert asked == {kind.name for kind in used_kinds(kinds, side)}


def test_only_the_support_set_tells_which_attribute_counts() -> None:
    found = drawn(60, shot=1, queries=1)
    names = {kind.name for kind in SHARED_KINDS}
    assert {episode.source.removeprefix("attributes/") for episode in found} == names
    for episode in found:
        for example in episode.support + episode.query:
            assert set(mentioned(example.text, SHARED_KINDS, "train")) == names


def test_the_asked_attribute_may_stand_anywhere() -> None:
    places: Counter[int] = Counter()
    for episode in drawn(100, shot=1, queries=1):
        for example in episode.support:
            clauses = example.text.split(", ")
            (place,) = [n for n, clause in enumerate(clauses) if example.label.lower() in words(clause)]
            places[place] += 1
    assert set(places) == set(range(10))
    assert max(places.values()) < 2 * min(places.values())


@pytest.mark.parametrize(("way", "shot", "queries"), [(2, 1, 1), (5, 5, 5), (3, 1, 7)])
def test_each_class_gives_k_support_and_q_query_examples(way: int, shot: int, queries: int) -> None:
    for episode in drawn(20, "test", way=way, shot=shot, queries=queries):
        assert len(set(episode.classes)) == way == len(episode.classes)
        assert Counter(e.label for e in episode.support) == dict.fromkeys(episode.classes, shot)
        assert Counter(e.label for e in episode.query) == dict.fromkeys(episode.classes, queries)
        assert len({example.text for example in episode.support + episode.query}) == way * (shot + queries)


def test_examples_are_shuffled() -> None:
    found = drawn(50)
    for sets in ([e.support for e in found], [e.query for e in found]):
        changes = [sum(a.label != b.label for a, b in pairwise(examples)) for examples in sets]
        assert min(changes) > 4


def test_there_are_many_thousands_of_sentences() -> None:
    texts = [e.text for episode in drawn(100, shot=5, queries=5) for e in episode.support + episode.query]
    assert len(texts) == 5000
    assert len(set(texts)) > 4990


def test_small_settings_still_give_distinct_sentences() -> None:
    (episode,) = drawn(1, "valid", kinds="disjoint", mentions=2, shot=100, queries=100)
    assert len({example.text for example in episode.support + episode.query}) == 1000


def test_sentences_are_written_like_sentences() -> None:
    for episode in drawn(20):
        for example in episode.support:
            assert example.text[0].isupper()
            assert example.text.endswith(".")
            assert example.text.count(", ") == 9


@pytest.mark.parametrize(("kinds", "side"), BOTH)
def test_an_stands_before_vowels_and_nowhere_else(kinds: Setting, side: Side) -> None:
    articles = Counter(
        (article, value in ("ukulele", "eucalyptus") or value[0] not in "aeiou")
        for episode in drawn(150, side, kinds=kinds, mentions=5)
        for example in episode.support
        for article, value in pairwise(words(example.text))
        if article in ("a", "an")
    )
    assert ("a", False) not in articles
    assert ("an", True) not in articles
    assert articles["a", True] > 0


def test_an_is_written_at_all() -> None:
    texts = " ".join(example.text.lower() for episode in drawn(50, "valid") for example in episode.support)
    assert {"an owl", "an otter"} <= set(re.findall(r"\ban \w+", texts))


# Which episode it is


def test_an_episode_does_not_depend_on_what_was_drawn_before() -> None:
    in_order = drawn(6, seed=7)
    family = Attributes()
    assert list(episodes(family, "train", 7, reversed(range(6)))) == in_order[::-1]
    assert list(episodes(family, "train", 7, [3])) == [in_order[3]]


def test_other_seeds_sides_and_indices_give_other_episodes() -> None:
    found = [episode for seed in range(3) for side in SIDES for episode in drawn(5, side, seed)]
    assert len(set(found)) == 45


def test_this_episode_stays_the_same_for_ever() -> None:
    (episode,) = episodes(Attributes(way=2, shot=1, queries=1, mentions=3), "test", 42, [5])
    assert episode.source == "attributes/drink"
    assert episode.classes == ("gin", "tonic")
    assert [example.text for example in episode.support] == [
        "A tired fisherman, spilt tonic, one swan.",
        "The fisherman came, ice again, spilt gin.",
    ]
    assert [example.text for example in episode.query] == [
        "Spilt gin, fresh burgers, near Vienna.",
        "Nairobi trains, surfing outside, spilt tonic.",
    ]


# What cannot be drawn


@pytest.mark.parametrize(
    ("options", "name", "side", "got", "needed"),
    [
        ({"way": 1}, "way", "train", 1, "2 to 10"),
        ({"way": 11}, "way", "train", 11, "2 to 10"),
        ({"way": 6}, "way", "valid", 6, "2 to 5"),
        ({"shot": 0}, "shot", "train", 0, "1 to 100"),
        ({"shot": 101}, "shot", "train", 101, "1 to 100"),
        ({"queries": 0}, "queries", "train", 0, "1 to 100"),
        ({"queries": 101}, "queries", "train", 101, "1 to 100"),
        ({"mentions": 1}, "mentions", "train", 1, "2 to 10"),
        ({"mentions": 11}, "mentions", "train", 11, "2 to 10"),
        ({"mentions": 6, "kinds": "disjoint"}, "mentions", "valid", 6, "2 to 5"),
    ],
)
def test_what_is_out_of_range_is_refused(
    options: dict[str, Any], name: str, side: str, got: int, needed: str
) -> None:
    with pytest.raises(InputError) as caught:
        Attributes(**options)
    assert str(caught.value) == (
        f"{name} is out of range\n  where:  attribute tasks, {side} side\n  got:    {got}\n  needed: {needed}"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"way": 2, "shot": 1, "queries": 1, "mentions": 2},
        {"way": 5, "shot": 100, "queries": 100, "mentions": 10},
        {"way": 5, "kinds": "disjoint", "mentions": 5},
    ],
)
def test_the_ends_of_the_ranges_are_allowed(options: dict[str, Any]) -> None:
    for side in SIDES:
        assert len(drawn(1, side, **options)) == 1

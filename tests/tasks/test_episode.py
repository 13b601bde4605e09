import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from fewshot.data.example import Example
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode

CARD, CASH, CARD2, CASH2 = (
    Example("my card is lost", "card"),
    Example("the machine kept my money", "cash"),
    Example("where is my card?", "card"),
    Example("wrong amount of cash", "cash"),
)
STRAY = Example("hello", "greeting")
BANK = ("cash", "card")


def test_an_episode_knows_its_shape() -> None:
    episode = Episode((CARD, CASH, CARD2), (CASH2,), BANK, "bank")
    assert (episode.way, episode.shot, episode.queries, episode.source) == (2, 1.5, 0.5, "bank")


def test_class_numbers_follow_the_order_of_the_classes() -> None:
    episode = Episode((CARD, CASH), (CARD2, CASH2, Example("no cash", "cash")), BANK)
    assert episode.numbers(episode.support) == [1, 0]
    assert episode.numbers(episode.query) == [1, 0, 0]


def test_a_class_may_lack_queries() -> None:
    assert Episode((CARD, CASH), (CARD2,), BANK).query == (CARD2,)


def test_the_same_text_with_another_label_is_another_example() -> None:
    twin = Example(CARD.text, "cash")
    assert Episode((CARD, CASH), (twin,), BANK).query == (twin,)


def test_episodes_are_compared_by_content_and_cannot_be_changed() -> None:
    episode = Episode((CARD, CASH), (CARD2,), BANK)
    assert episode == Episode((CARD, CASH), (CARD2,), BANK)
    with pytest.raises(FrozenInstanceError):
        episode.classes = ("other",)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("support", "query", "problem"),
    [
        ((), (CARD,), "its support or query set is empty"),
        ((CARD, CASH), (), "its support or query set is empty"),
        ((CARD, CASH, STRAY), (CARD2,), "the labels greeting are none of its classes"),
        ((CARD, CASH), (STRAY,), "the labels greeting are none of its classes"),
        ((CARD,), (CARD2, CASH2), "no support example for cash"),
        ((CARD, CASH), (CARD2, CASH), "1 examples are in support and query: 'the machine kept my money'"),
        ((), (), "its support or query set is empty"),
        ((STRAY, CARD), (Example("?", "a"),), "the labels a, greeting are none of its classes"),
        ((CASH,), (CASH2,), "no support example for card"),
    ],
)
def test_what_is_no_episode_is_refused(
    support: tuple[Example, ...], query: tuple[Example, ...], problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        Episode(support, query, BANK, "bank")
    assert str(caught.value) == (
        f"this is not an episode: {problem}\n"
        "  where:  source 'bank', classes cash, card\n"
        "  needed: support and query examples of the named classes, no example on both sides"
    )


def problem_of(**changes: Any) -> str:
    """The first line of the message about a bank episode with these changes."""
    parts: dict[str, Any] = {"support": (CARD, CASH), "query": (CARD2,), "classes": BANK} | changes
    with pytest.raises(InputError) as caught:
        Episode(**parts)
    return str(caught.value).splitlines()[0].removeprefix("this is not an episode: ")


def test_a_class_is_named_once() -> None:
    assert problem_of(classes=("cash", "card", "cash")) == "a class is named twice"


def test_classes_without_support_are_all_named() -> None:
    assert problem_of(support=(CARD,), classes=("z", "card", "a")) == "no support example for a, z"


def test_queries_from_outside_have_no_label_of_a_class() -> None:
    stray = (STRAY, CASH2, Example("card?", "card"))
    assert problem_of(outside=stray) == "the queries from outside have the labels card, cash"
    assert Episode((CARD, CASH), (CARD2,), BANK, outside=(STRAY,)).outside == (STRAY,)


def test_what_was_made_of_the_support_set_is_of_its_classes_and_no_query() -> None:
    assert problem_of(augmented=(STRAY,)) == "the labels greeting are none of its classes"
    same = "1 examples are in support and query: 'where is my card?'"
    assert problem_of(augmented=(CARD2,)) == same
    made = (Example("my card got lost", "card"),)
    episode = Episode((CARD, CASH), (CARD2,), BANK, augmented=made)
    assert (episode.learned_from, episode.shot) == ((CARD, CASH, *made), 1)
    # made examples stand for no support of a class
    assert problem_of(support=(CASH,), augmented=made) == "no support example for card"


def test_the_examples_on_both_sides_are_counted() -> None:
    """The first of the queries is named, whatever the seed of the hashes."""
    twice = "2 examples are in support and query: "
    assert problem_of(query=(CARD2, CASH, CARD, CASH)) == f"{twice}'the machine kept my money'"
    assert problem_of(query=(CARD2, CARD, CASH)) == f"{twice}'my card is lost'"


def test_texts_to_be_written_are_of_no_class() -> None:
    episode = Episode((CARD, CASH), (CARD2, CASH2), (), "bank")
    assert (episode.way, episode.shot, episode.queries, episode.prior_loss) == (0, 2, 2, 0)
    with pytest.raises(InputError) as caught:
        episode.numbers(episode.query)
    assert str(caught.value) == (
        "this episode has no classes: its labels are texts to be written\n"
        "  where:  source 'bank'\n"
        "  needed: a model that writes, or a family of classes; not both kinds of family together\n"
        "  do:     choose LoraCausal as the model, or Matching on the same records"
    )
    assert problem_of(classes=(), query=(CARD,)).startswith("1 examples are in support and query")


def test_those_from_outside_have_the_number_0() -> None:
    episode = Episode((CARD, CASH), (CARD2,), BANK, outside=(STRAY,))
    assert episode.numbers((CARD2, *episode.outside, CASH2)) == [1, 0, 0]


def test_the_prior_loss_is_the_entropy_of_the_labels_of_the_queries() -> None:
    queries = (CARD2, Example("one card", "card"), Example("two cards", "card"), CASH2)
    episode = Episode((CARD, CASH), queries, BANK)
    assert episode.prior_loss == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert Episode((CARD, CASH), (CARD2, CASH2), BANK).prior_loss == pytest.approx(math.log(2))
    assert Episode((CARD, CASH), (CARD2,), BANK).prior_loss == 0

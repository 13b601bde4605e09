from dataclasses import FrozenInstanceError

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

import threading
from collections.abc import Iterator

import pytest

from fewshot.ahead import ahead

LONG = 20.0  # seconds that only a failure takes


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("fewshot-ahead")]


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_items_keep_their_order(count: int, depth: int) -> None:
    assert list(ahead(range(count), depth)) == list(range(count))
    assert threads() == []


def test_items_that_are_none_or_false_are_items() -> None:
    assert list(ahead([None, False, 0, ""])) == [None, False, 0, ""]


def failing(at: int) -> Iterator[int]:
    yield from range(at)
    raise ValueError("broken")


@pytest.mark.parametrize("at", [0, 1, 5])
def test_an_error_comes_where_its_item_would_have(at: int) -> None:
    got: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        got.extend(ahead(failing(at), depth=3))
    assert threads() == []
    items, seen = ahead(failing(at), depth=3), []
    for _ in range(at):
        seen.append(next(items))
    assert seen == list(range(at))
    with pytest.raises(ValueError, match="broken"):
        next(items)
    assert list(items) == []


def test_closing_early_stops_the_thread() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    taken = ahead(items(), depth=3)
    assert [next(taken), next(taken)] == [0, 1]
    assert len(threads()) == 1
    taken.close()
    assert threads() == []
    assert len(drawn) <= 2 + 3


def test_what_was_never_begun_has_no_thread() -> None:
    taken = ahead(failing(0))
    assert threads() == []
    taken.close()
    assert threads() == []


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_next_items_are_prepared_while_one_is_used(depth: int) -> None:
    drawn: list[int] = []
    prepared = [threading.Event() for _ in range(20)]

    def items() -> Iterator[int]:
        for number, event in enumerate(prepared):
            drawn.append(number)
            event.set()
            yield number

    taken = ahead(items(), depth)
    for number in range(5):
        assert next(taken) == number
        # nobody asks for them, and yet they come
        assert prepared[number + depth].wait(LONG)
        assert drawn == list(range(number + depth + 1))
    taken.close()
    assert drawn == list(range(5 + depth))


def test_all_items_come_from_one_other_thread() -> None:
    makers: list[str] = []

    def items() -> Iterator[int]:
        for number in range(10):
            makers.append(threading.current_thread().name)
            yield number

    list(ahead(items(), depth=4))
    assert len(makers) == 10
    assert len(set(makers)) == 1
    assert makers[0].startswith("fewshot-ahead")

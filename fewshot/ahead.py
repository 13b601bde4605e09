"""Work done ahead in a thread, so that nobody waits for it."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T], depth: int = 2) -> Generator[T]:
    """The items in their order, the next ones already under way while one is used.

    An exception of `items` is raised where its item would have come.

    Args:
        items: drawn from in one thread, one after another.
        depth: how many are prepared ahead.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="fewshot-ahead") as pool:

        def submit() -> "Future[T | object]":
            return pool.submit(next, iterator, end)

        waiting = deque(submit() for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(submit())
                yield item  # type: ignore[misc]  # not the end
        finally:
            for future in waiting:
                future.cancel()

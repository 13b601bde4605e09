"""Processes that are threads of one: the same shares and sums, without a network."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from fewshot.processes import Processes

T = TypeVar("T")
M = TypeVar("M")


class Threads(Processes):
    """One of some threads; they meet at a barrier."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, values: list[Any]) -> None:
        self.rank, self.size = rank, size
        self._barrier, self._values = barrier, values
        self.sums = 0

    def _all(self, own: Any) -> list[Any]:
        self._values[self.rank] = own
        self._barrier.wait(60)
        found = list(self._values)
        self._barrier.wait(60)
        return found

    def sum(self, flat: Tensor) -> Tensor:
        self.sums += 1
        return torch.stack(self._all(flat)).sum(0)

    def gather(self, own: Sequence[T]) -> list[T]:
        return [item for part in self._all(list(own)) for item in part]

    def from_first(self, value: T) -> T:
        first: T = self._all(value)[0]
        return first


def in_all(size: int, make: Callable[[], M], work: Callable[[Processes, M], T]) -> list[T]:
    """What `work` gives in each of so many processes, in their order; each has a model of its own."""
    models = [make() for _ in range(size)]  # not in threads, which share the filters of warnings
    if size == 1:
        return [work(Processes(), models[0])]
    barrier, values = threading.Barrier(size), [None] * size
    found: dict[int, T] = {}
    failed: list[BaseException] = []

    def run(rank: int) -> None:
        try:
            found[rank] = work(Threads(rank, size, barrier, values), models[rank])
        except BaseException as error:
            failed.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = [error for error in failed if not isinstance(error, threading.BrokenBarrierError)]
    if first:
        raise first[0]
    return [found[rank] for rank in range(size)]

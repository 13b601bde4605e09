"""Processes that are threads of one, without a network, and some that are processes, without torchrun."""

import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from benchmarks.faults.chain import LIVES
from benchmarks.faults.victim import live
from fewshot.models import rates
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


def environment(rank: int, size: int = 2) -> dict[str, str]:
    """As torchrun and accelerate launch make it for one of some processes."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port = found.getsockname()[1]
    place = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)} | of_rank(rank)
    return place | {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}


def of_rank(rank: int) -> dict[str, str]:
    """What of an environment is one process's own."""
    return {"RANK": str(rank), "LOCAL_RANK": str(rank)}


def forked(size: int, words: Sequence[str], scratch: Path) -> list[tuple[int | None, str]]:
    """A command in so many processes, forked from one that has imported everything: exit codes and output."""
    place, said = environment(0, size), [scratch / f"{rank}.said" for rank in range(size)]
    every = [
        LIVES.Process(target=_joined, args=(place | of_rank(rank), scratch, list(words), said[rank]))
        for rank in range(size)
    ]
    for process in every:
        process.start()
    try:
        for process in every:
            process.join(240)
    finally:
        for process in every:
            process.kill()
            process.join()
    return [(each.exitcode, file.read_text()) for each, file in zip(every, said, strict=True)]


def _joined(place: dict[str, str], scratch: Path, words: Sequence[str], said: Path) -> None:
    os.environ.update(place | {"CUDA_VISIBLE_DEVICES": ""})
    rates.SQUARES["cpu"] = (64,)  # seconds are measured otherwise, for a share in the log
    live(scratch, "never", 0, words, said)

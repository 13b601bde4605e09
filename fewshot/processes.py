"""Processes that train together, on one machine or several: what they share out and what they add up.

torchrun and `accelerate launch` start them and say in the environment which one each is. With no such
environment there is one process, and all of this does nothing.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from fewshot.errors import InputError, first_line
from fewshot.memory import is_out_of_memory
from fewshot.watch import LostError, Watch

T = TypeVar("T")
JOIN = timedelta(minutes=10)  # machines of one job start at different times
# a process may rightly wait for the longest step of another; whether it lives, the watch knows
MEET = timedelta(days=7)


class Processes:
    """The processes of one training, counted from 0; this one alone, unless `together` found others.

    All of them take the same way through the program and come to `sum`, `gather` and `from_first` in the
    same order.
    """

    rank, size = 0, 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and shows progress."""
        return self.rank == 0

    def share(self, count: int, together: int = 1) -> range:
        """Which of so many items are this process's: neighbours, as many as others have, but for a group.

        Args:
            count: how many there are; there may be fewer than processes.
            together: items of a group, which is not taken apart where there are groups enough for all.
        """
        group = min(together, -(-count // self.size))
        groups = -(-count // group)
        first, last = (groups * rank // self.size * group for rank in (self.rank, self.rank + 1))
        return range(count)[first:last]

    def sum(self, flat: Tensor) -> Tensor:
        """The sum over the processes of a tensor of one shape and type; it may take the tensor's place."""
        return flat

    def gather(self, own: Sequence[T]) -> list[T]:
        """The items of all processes, in the order of the processes."""
        return list(own)

    def from_first(self, value: T) -> T:
        """The value that the first process has."""
        return value


class Group(Processes):
    """Processes that torch.distributed connects.

    What they send each other beside tensors is pickled by it: they are one program on machines that trust
    each other.

    Args:
        rank: of this one, from 0.
        size: how many.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def sum(self, flat: Tensor) -> Tensor:
        """One all-reduce, in place."""
        _meet(lambda: dist.all_reduce(flat))
        return flat

    def gather(self, own: Sequence[T]) -> list[T]:
        """The items of all processes, in the order of the processes."""
        parts: list[Any] = [None] * self.size
        _meet(lambda: dist.all_gather_object(parts, list(own)))
        return [item for part in parts for item in part]

    def from_first(self, value: T) -> T:
        """The value that the first process has."""
        sent: list[Any] = [value if self.first else None]
        _meet(lambda: dist.broadcast_object_list(sent))
        received: T = sent[0]
        return received


@contextlib.contextmanager
def together() -> Iterator[Processes]:
    """Joins the processes that were started with this one, and leaves them at the end.

    An error inside ends all of them, within a minute, also where one was killed: the process that failed
    says its error, the first one of every other machine says whose it was.

    Raises:
        InputError: some did not come, or there are more of them than GPUs.
        FewshotError: what went wrong in this process or in another one.
        SaidError: the same, where another process says it.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield Processes()
        return
    rank = int(os.environ["RANK"])
    store = _arrived(rank, size)
    watch = Watch(_connection, rank, size)
    watch.start()
    try:
        yield _joined(store, rank, size)
    except Exception as error:
        raise watch.failed(error) from error
    except KeyboardInterrupt as error:
        watch.failed(error)
        raise
    finally:
        watch.stop()
    dist.destroy_process_group()


def _arrived(rank: int, size: int) -> dist.Store:
    """Waits for all; gives what they store in common, which the first process may hold."""
    try:
        store: dist.Store = next(dist.rendezvous("env://", timeout=JOIN))[0]
        store.set(f"fewshot/arrived/{rank}", "")
        store.wait([f"fewshot/arrived/{each}" for each in range(size)], JOIN)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            "the processes of this training did not meet",
            where=f"rank {rank} of {size}",
            got=first_line(error),
            needed=f"{size} processes, as WORLD_SIZE says, started within {JOIN.seconds // 60} minutes",
            fix="start them by torchrun or accelerate launch, with the same options on every machine",
        ) from error
    return store


def _connection() -> dist.Store:
    """One of its own, since a connection serves one thread at a time."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(host, port, is_master=False, timeout=JOIN, wait_for_workers=False)
    return dist.PrefixStore(f"fewshot/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def _joined(store: dist.Store, rank: int, size: int) -> Group:
    """By gloo between CPUs, by NCCL between GPUs, of which LOCAL_RANK picks this process's."""
    backend = "gloo"
    if torch.cuda.is_available():
        local, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if local >= count:
            raise InputError(
                "there are more processes than GPUs on this machine",
                where="LOCAL_RANK",
                got=f"{local}, where there are {count} GPUs",
                fix=f"start {count} a machine, or put CUDA_VISIBLE_DEVICES='' before the command: CPUs alone",
            )
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    given: dict[str, Any] = {"store": store, "rank": rank, "world_size": size, "timeout": MEET}
    _meet(lambda: dist.init_process_group(backend, **given))
    return Group(rank, size)


def _meet(work: Callable[[], object]) -> None:
    """Does what needs all processes.

    Raises:
        LostError: another one is not there any more.
    """
    try:
        work()
    except RuntimeError as error:
        if is_out_of_memory(error):  # it is this process's own
            raise
        raise LostError("another process does not answer any more", got=first_line(error)) from error

"""Whether the other processes of a training live, and what ended them.

A process that waits for another one cannot notice by itself that it will wait for ever, and how long a step
may rightly take nobody knows. So every process beats, a thread beside the work; the first one listens to all,
the others to the first. The store they beat in may itself neither answer nor close: a second thread touches
nothing and counts how long the first one has waited.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

import torch.distributed as dist

from fewshot.errors import FewshotError, SaidError, Whole, first_line

EVERY = 2.0  # seconds between two beats
SILENCE = 40.0  # seconds without one, after which a process is taken for dead
GRACE = 5.0  # seconds that a process has to end by itself, once another one has failed
SAME = 2.0  # seconds in which processes that fail alike do so
POLL = 0.1  # seconds
FAILED = "failed"


class LostError(FewshotError):
    """Another process did not come to where all meet."""


class Watch:
    """Beats for this process, listens to others, and ends this one where one of them has failed.

    Args:
        connect: gives a connection to the store that all processes share.
        rank: of this process.
        size: how many there are.
    """

    def __init__(self, connect: Callable[[], dist.Store], rank: int, size: int) -> None:
        self._rank, self._size = rank, size
        self._said, self._heard = connect(), connect()  # of this thread and of the other
        self._stopped, self._left = threading.Event(), threading.Event()
        self._waits, self._reason = 0, ""  # beats since the store was reached, and what it said instead
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._listen, name="fewshot-watch", daemon=True)
        self._clock = threading.Thread(target=self._count, name="fewshot-clock", daemon=True)

    def start(self) -> None:
        """From here on."""
        self._thread.start()
        self._clock.start()

    def stop(self) -> None:
        """This process has no more to do with the others."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._thread.join(2 * EVERY)
            with contextlib.suppress(RuntimeError):  # who holds the store may be gone
                self._said.set(f"left/{self._rank}", "")
        self._left.set()

    def failed(self, error: BaseException) -> FewshotError:
        """Tells the others that this process has failed, if it was not their failure; gives what to raise."""
        self._failure = error
        with contextlib.suppress(RuntimeError):  # who holds the store may be gone
            if isinstance(error, LostError):
                return self._of_another(error)
            return self._own(error)
        return _error(self._rank, self._size, error)

    def _own(self, error: BaseException) -> FewshotError:
        said = _error(self._rank, self._size, error)
        text = f"{type(error).__name__}: {error}"
        self._said.set(f"text/{self._rank}", text)
        self._said.compare_set(FAILED, "", json.dumps([self._rank, str(said), said.exit_code]))
        self._stopped.set()
        other = f"text/{0 if self._rank else 1}"
        self._wait_for(other, SAME)
        if not self._said.check([other]) or self._said.get(other).decode() != text:
            return said
        if self._rank:  # all have failed alike: the first says it, as if it were alone
            return SaidError(said.exit_code)
        return error if isinstance(error, FewshotError) else said

    def _wait_for(self, key: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._said.check([key]) and time.monotonic() < until:
            time.sleep(POLL)

    def _of_another(self, error: LostError) -> FewshotError:
        self._wait_for(FAILED, GRACE)
        self._stopped.set()
        if self._said.check([FAILED]):
            return _ended(self._said)
        return _error(self._rank, self._size, error)

    def _listen(self) -> None:
        beats: dict[int, tuple[int, float]] = {}  # the last of each process, and when it was heard
        watched = range(1, self._size) if self._rank == 0 else range(1)
        while not self._stopped.wait(EVERY):
            try:
                self._heard.add(f"beat/{self._rank}", 1)
                if self._heard.check([FAILED]):
                    if not self._stopped.wait(GRACE):
                        _end(_ended(self._heard))
                    return
                self._accuse(self._silent(watched, beats))
                self._waits, self._reason = 0, ""
            except RuntimeError as error:
                self._reason = first_line(error)

    def _count(self) -> None:
        """Counts waits, not seconds: those in which this process was itself suspended are no silence."""
        while not self._left.wait(EVERY):
            self._waits += 1
            if self._waits * EVERY > SILENCE:
                return _end(self._unheard())

    def _unheard(self) -> FewshotError:
        """What is said where nothing can be asked of the others: what went wrong here, if anything did."""
        if self._failure:
            return _error(self._rank, self._size, self._failure)
        return LostError("the first process does not answer any more", got=self._reason or None)

    def _silent(self, watched: Sequence[int], beats: dict[int, tuple[int, float]]) -> int | None:
        """A process that began to beat, and has neither beaten for long nor left."""
        now = time.monotonic()
        for rank in watched:
            count = self._heard.add(f"beat/{rank}", 0)
            if rank not in beats or beats[rank][0] != count:
                beats[rank] = count, now
            silent = count and now - beats[rank][1] > SILENCE
            if silent and not self._heard.check([f"left/{rank}"]):
                return rank
        return None

    def _accuse(self, rank: int | None) -> None:
        if rank is not None:
            text = f"rank {rank} of {self._size}: killed, or it hangs: not heard of for {SILENCE:.0f} s"
            self._heard.compare_set(FAILED, "", json.dumps([rank, text, 1]))


def _ended(store: dist.Store) -> FewshotError:
    """What a process says that ends since another one has failed."""
    rank, text, code = json.loads(store.get(FAILED).decode())
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return SaidError(code)
    error = FewshotError(
        f"stopped, since rank {rank} has failed", got=Whole(text.replace("\n", "\n          "))
    )
    error.exit_code = code
    return error


def _end(error: FewshotError) -> None:
    """At once, since the work may wait where no exception reaches it."""
    if not isinstance(error, SaidError):
        print(f"error: {error}", file=sys.stderr, flush=True)
    os._exit(error.exit_code)


def _error(rank: int, size: int, error: BaseException) -> FewshotError:
    """With the rank."""
    known = isinstance(error, FewshotError)
    text = f"rank {rank} of {size}: " + (str(error) if known else f"{type(error).__name__}: {error}")
    fix = None if known else "add --debug to see where"
    said = FewshotError(Whole(text) if known else text, fix=fix)
    said.exit_code = error.exit_code if isinstance(error, FewshotError) else 1
    return said

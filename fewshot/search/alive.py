"""Which running trials have a worker: a pulse in the storage, and the process itself where it is here.

Optuna has a heartbeat for databases alone; this one works in every storage.
"""

import contextlib
import functools
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

EVERY = 10.0  # seconds between two pulses
GRACE = 120.0  # seconds without one after which a worker elsewhere is taken for dead
SAME = 10.0  # seconds by which a clock that was set may move the start of a process
UNNAMED = 15.0  # likewise for one that has taken a trial and not said who it is, which takes no second


def here() -> dict[str, Any]:
    """Names this process for good: another one with its number started at another time."""
    return {"host": _host(), "pid": os.getpid(), "since": psutil.Process().create_time()}


@functools.cache
def _host() -> str:
    """This machine since it was started, and within it what a process number is unique in."""
    found = [socket.gethostname()]
    with contextlib.suppress(OSError):
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
        found.append(os.readlink("/proc/self/ns/pid"))
    return "/".join(found)


class Pulse:
    """Beats as long as the block runs.

    Args:
        beat: writes the next count.
    """

    def __init__(self, beat: Callable[[int], None]) -> None:
        self._beat, self._stop = beat, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        count = 1
        while not self._stop.wait(EVERY):
            try:
                self._beat(count)
            except UpdateFinishedTrialError:
                return  # others have taken this worker for dead
            except Exception:
                continue
            count += 1

    def __enter__(self) -> Self:
        self._beat(0)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()


class Watch:
    """Finds trials whose worker is gone.

    Args:
        clock: seconds that only grow; the clocks of other machines are not compared.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, tuple[Any, float]] = {}  # trial -> its last pulse, and when that was new

    def is_dead(self, trial: FrozenTrial) -> bool:
        """Whether a running trial has no worker any more."""
        owner: Mapping[str, Any] | None = trial.user_attrs.get("worker")
        if owner is not None and owner["host"] == _host():
            return not _runs(owner)
        pulse, now = trial.user_attrs.get("pulse"), self._clock()
        last, since = self._seen.get(trial.number, (None, now))
        if trial.number not in self._seen or last != pulse:
            self._seen[trial.number] = pulse, now
            return False
        return now - since > (UNNAMED if owner is None else GRACE)


def _runs(owner: Mapping[str, Any]) -> bool:
    try:
        process = psutil.Process(owner["pid"])
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return not zombie and abs(process.create_time() - owner["since"]) < SAME
    except psutil.NoSuchProcess:
        return False

"""Ctrl-C and SIGTERM, kept until the work at hand is done."""

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

from fewshot.errors import FewshotError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Asked = signal.Signals | None
ECHO = 3.0  # seconds in which the same may reach a process again, by who started it and by its machine


class StoppedError(FewshotError):
    """The work was stopped from outside, and can go on; the exit code is that of the shells, 128 + signal."""

    def __init__(self, what: str, signal_number: int, **parts: object) -> None:
        super().__init__(what, **parts)
        self.exit_code = 128 + signal_number


class Stopping:
    """Inside, the first Ctrl-C or SIGTERM is noted alone; a second one has its usual effect.

    Args:
        wanted: note them; else, and outside of the main thread, nothing is changed.
        echo: a second one that comes within so many seconds is the same.
    """

    def __init__(self, wanted: bool = True, echo: float = 0.0) -> None:
        self.asked: Asked = None
        self._wanted, self._before = wanted, dict[signal.Signals, Any]()
        self._echo, self._since = echo, 0.0

    def __enter__(self) -> Self:
        if self._wanted and threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._note) for each in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked is None:
            self.asked, self._since = signal.Signals(number), now
            if not self._echo:
                self._put_back()
        elif now - self._since > self._echo:
            self._put_back()
            os.kill(os.getpid(), number)

    def _put_back(self) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler if handler is not None else signal.SIG_DFL)
        self._before = {}

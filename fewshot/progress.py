"""Progress of long work on standard error: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LINE_EVERY = 15.0  # seconds between lines where there is no terminal


class Progress:
    """Steps done of a total, with the time left and a note.

    Args:
        title: what is being done; an empty one shows nothing.
        total: how many steps there are.
        done: those that were done before.
    """

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self._title, self._total, self._done, self._first = title, total, done, done
        self._console = Console(stderr=True, highlight=False)
        self._started = self._spoken = time.monotonic()
        self._bar: RichProgress | None = None
        if title and self._console.is_terminal:
            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=self._console,
            )
            self._task = self._bar.add_task(title, total=total, completed=done, note="")

    def advance(self, steps: int, note: str) -> None:
        """`steps` more are done; `note` is shown beside them, such as the last losses."""
        self._done += steps
        if self._bar:
            self._bar.update(self._task, advance=steps, note=note)
        elif self._title and self._is_time():
            self._spoken = time.monotonic()
            self.say(f"{self._title} {self._done}/{self._total}, {self._left()} left, {note}")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._title and text:
            (self._bar.console if self._bar else self._console).print(text, soft_wrap=True)

    def _is_time(self) -> bool:
        return self._done >= self._total or time.monotonic() - self._spoken >= LINE_EVERY

    def _left(self) -> str:
        pace = (time.monotonic() - self._started) / max(1, self._done - self._first)
        seconds = pace * (self._total - self._done)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

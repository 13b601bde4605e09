"""The lines of a training: in the run directory, for trackers, and the objective that they end with."""

import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fewshot.errors import InputError
from fewshot.files import settle, unwritable
from fewshot.run import RunFolder
from fewshot.trackers import Trackers
from fewshot.untrusted.values import parse_json

META = "meta-training"  # a stage of the training, where a line names none
LAST = 10  # steps that an objective is the mean of


class Log:
    """Takes a line of every outer step.

    Args:
        folder: where `log.jsonl` is; None where nothing is written.
        trackers: are given the lines too.
    """

    def __init__(self, folder: RunFolder | None, trackers: Trackers) -> None:
        self._folder, self._trackers = folder, trackers
        self._objectives: dict[str, deque[float]] = {}  # by stage, the last of them

    def add(self, line: dict[str, Any]) -> None:
        """A line; skipped steps and those of one class have no objective."""
        self._remember(line)
        if self._folder:
            self._folder.log(line)
        self._trackers.line(line)

    def settled(self) -> int:
        """Bytes of `log.jsonl`, which are on the disk then.

        Raises:
            UnwritableError: they are not.
        """
        path = self._file()
        if not path or not path.exists():
            return 0
        try:
            settle(path)
        except OSError as error:
            raise unwritable(path, error) from error
        return path.stat().st_size

    def cut(self, size: int) -> None:
        """Goes on behind the first bytes of a log that is there, and reads its objectives again.

        Raises:
            InputError: it has fewer bytes, or they are no whole lines.
            UnwritableError: it cannot be cut.
        """
        path = self._file()
        if not path or not (path.exists() or size):
            return
        try:
            kept = path.read_bytes()[:size]
            lines = [parse_json(line, numbers=False) for line in kept.decode("utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise InputError("the log cannot be read", where=path, got=str(error)) from error
        if len(kept) < size:
            raise InputError("the log is shorter than it was", where=path, got=len(kept), needed=size)
        try:
            os.truncate(path, size)
        except OSError as error:
            raise unwritable(path, error) from error
        for line in lines:
            self._remember(line)

    def _file(self) -> Path | None:
        return self._folder.path / "log.jsonl" if self._folder else None

    def start(self, config: str, say: Callable[[str], None]) -> None:
        """Before the first line: the text of `config.yaml`, and who is told what happens to trackers."""
        self._trackers.start(config, say)

    def end(self, summary: Mapping[str, Any]) -> None:
        """After the last line: the content of `summary.json`."""
        self._trackers.end(summary)

    def close(self) -> None:
        """Whether the training came to its end or not."""
        self._trackers.close()

    def _remember(self, line: Mapping[str, Any]) -> None:
        values = self._objectives.setdefault(line.get("stage", META), deque(maxlen=LAST))
        values.extend([line["objective"]] if "objective" in line else [])

    def objective(self) -> dict[str, float]:
        """J(theta) of each stage, the mean of its last steps; see `fewshot.score`."""
        ends = self._objectives.items()
        return {stage: sum(values) / len(values) for stage, values in ends if values}


def said_of(line: Mapping[str, Any]) -> str:
    """What the progress bar says of a step."""
    if "skipped" in line:
        return "skipped"
    return f"loss {line['loss']:.3f}, query accuracy {line['accuracy']:.3f}"

"""Trainings that end in the middle, as a line of the log is written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fewshot.log import Log


class KilledError(BaseException):
    """What no part of the program expects."""


def dies() -> None:
    raise KilledError


@contextmanager
def at_step(monkeypatch: pytest.MonkeyPatch, step: int, what: Callable[[], None]) -> Iterator[None]:
    """Something that happens before the line of a step is written."""
    add = Log.add

    def with_it(log: Log, line: dict[str, Any]) -> None:
        if line["step"] == step:
            what()
        add(log, line)

    with monkeypatch.context() as patch:
        patch.setattr(Log, "add", with_it)
        yield


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Work that is killed there, and would fail the test if it were not."""
    with at_step(monkeypatch, step, dies), pytest.raises(KilledError):
        work()

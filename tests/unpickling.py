"""A guard over every test: nothing of this package unpickles, whatever library it does it by.

Python audits each class or function that a pickle names, which is what makes a pickle run code. The first
frame that belongs to this package or to a library with pickles of its own decides.
"""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

# what these unpickle they have pickled themselves, for their own processes; Optuna's CMA-ES, in its storage
OWN = {"multiprocessing", "multiprocess", "concurrent", "joblib", "loky", "datasets", "optuna", "cmaes"}
OURS = {"fewshot", "benchmarks"}
_watched: list[bool] = []


class UnpickledError(Exception):
    """This package was about to unpickle."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class" and _watched and (who := _owner(sys._getframe(1))):
        raise UnpickledError(f"{who} unpickles {'.'.join(map(str, arguments))}")


def _owner(frame: FrameType | None) -> str | None:
    """The module of this package that unpickles; None where a library does so for itself, or a test does."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.split(".")[0] in OWN or name.startswith("torch.distributed."):  # see docs/processes.md
            return None
        if name.split(".")[0] in OURS:
            return name
        frame = frame.f_back
    return None


def watched() -> Iterator[None]:
    """As long as a test runs; a hook of Python cannot be taken away again, so it is switched on and off."""
    if not _installed:
        sys.addaudithook(_audit)
        _installed.append(True)
    _watched.append(True)
    try:
        yield
    finally:
        _watched.pop()


_installed: list[bool] = []


def refuse(*_: object, **__: object) -> None:
    """In the place of `torch.load`."""
    raise UnpickledError("torch.load reads pickles")

"""`fewshot` in a process that is killed at a place of its own choice, as no handler and no `finally` is run.

A place is `before` (the n-th time that a file of the run is opened for writing, renamed, cut or removed,
before it is done), `torn` (the n-th time that a file gets its name or a line, when a part of it is written)
or `never`. Processes are forked from one that has imported everything, so that a life takes seconds.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fewshot.cli import main as fewshot

WRITTEN = ("os.rename", "os.truncate", "os.remove", "os.mkdir", "shutil.rmtree")
PLACES = ("before", "torn", "never")


class Killer:
    """An audit hook that counts what is done to the files of a run, and ends the process at one of them.

    Args:
        folder: the run directory.
        place: see above.
        at: at which of them, from 1.
    """

    def __init__(self, folder: Path, place: str, at: int) -> None:
        self._name, self._place, self._at = folder.name, place, at
        self.done = dict.fromkeys(PLACES[:2], 0)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Takes an event of the interpreter, see the table of audit events in Python's documentation."""
        if event != "open" and event not in WRITTEN:
            return
        path, mode = str(args[0]), str(args[1]) if event == "open" else ""
        if self._name not in path or (event == "open" and not set(mode) & set("wax+")):
            return
        self._count("before")
        if (event == "os.rename" or mode == "a") and self._count("torn", kill=False):
            self._tear(path)
            _die()

    def _count(self, place: str, kill: bool = True) -> bool:
        self.done[place] += 1
        reached = self._place == place and self.done[place] == self._at
        if reached and kill:
            _die()
        return reached

    def _tear(self, path: str) -> None:
        """Leaves a part of a file that is written whole, or of a line."""
        self._place = "never"  # what is done here is not counted
        if os.path.isdir(path):
            return
        if path.endswith(".part"):
            os.truncate(path, os.path.getsize(path) * 2 // 3)
        else:
            with open(path, "a", encoding="utf-8") as file:
                file.write('{"step": 1, "lo')


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def live(folder: Path, place: str, at: int, words: Sequence[str], said: Path) -> None:
    """Runs a command in this process, which is killed at its place; what it says goes into a file.

    Args:
        folder: the run directory.
        place: one of `PLACES`.
        at: see above.
        words: of the command.
        said: the file; at the end with a line `places` and the counts.
    """
    number = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(number, stream)
    killer = Killer(folder, place, at)
    sys.addaudithook(killer)
    code = fewshot(words)
    print("places", killer.done["before"], killer.done["torn"], flush=True)
    sys.exit(code)

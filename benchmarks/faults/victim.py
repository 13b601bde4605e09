"""`fewshot` in a process that is killed at a place of its own choice, as no handler and no `finally` is run.

    python -m benchmarks.faults.victim FOLDER PLACE AT -- WORDS OF FEWSHOT

PLACE is `before` (the AT-th time that a file of FOLDER is opened for writing, renamed, cut or removed, before
it is done), `torn` (the AT-th time that a file gets its name or a line, when a part of it is written) or
`never` (those times are counted, and told at the end). On standard output it says `ready` when `fewshot` is
imported.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def main(arguments: Sequence[str]) -> int:
    """Runs the command until it is killed."""
    folder, place, at, _, *words = arguments
    from fewshot.cli import main as fewshot

    killer = Killer(Path(folder), place, int(at))
    sys.addaudithook(killer)
    print("ready", flush=True)
    code = fewshot(words)
    print("places", killer.done["before"], killer.done["torn"], flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

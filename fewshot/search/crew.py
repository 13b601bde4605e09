"""Several workers on this machine: processes of their own that share the storage."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from fewshot.errors import FewshotError
from fewshot.search.results import trials_of
from fewshot.search.worker import fatal

LOOK = 2.0  # seconds between two looks
DEATHS = 3  # of a worker, without a trial finished in between


@dataclass
class _Member:
    process: subprocess.Popen[bytes]
    log: Path
    deaths: int = 0


class Crew:
    """Starts workers, restarts those that die, tells what they finish.

    Args:
        study: what they work on.
        out: the folder of the search; their logs go there.
        arguments: the command line that each is given, with `--join`.
        count: how many.
    """

    def __init__(self, study: optuna.Study, out: Path, arguments: Sequence[str], count: int) -> None:
        self._study, self._out, self._arguments, self._count = study, out, arguments, count

    def work(self, say: Callable[[FrozenTrial], None]) -> None:
        """Returns when all workers have come to their end.

        Args:
            say: is told of every trial that is finished meanwhile.

        Raises:
            FewshotError: a worker dies again and again.
        """
        told = {trial.user_attrs["slot"] for trial in self._finished()}
        members = [self._hire(self._out / "workers" / f"{n}.log") for n in range(self._count)]
        try:
            while members:
                time.sleep(LOOK)
                for trial in self._finished():
                    if trial.user_attrs["slot"] not in told:
                        told.add(trial.user_attrs["slot"])
                        say(trial)
                        for member in members:
                            member.deaths = 0
                members = [each for each in map(self._look_after, members) if each]
        finally:
            for member in members:
                member.process.terminate()

    def _finished(self) -> list[FrozenTrial]:
        return [trial for trial in trials_of(self._study) if trial.state.is_finished()]

    def _hire(self, log: Path, deaths: int = 0) -> _Member:
        log.parent.mkdir(parents=True, exist_ok=True)
        threads = str(max(1, (os.cpu_count() or 1) // self._count))
        environment = {"OMP_NUM_THREADS": threads} | os.environ
        command = [sys.executable, "-m", "fewshot", "search", *self._arguments, "--join"]
        with log.open("ab") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
        return _Member(process, log, deaths)

    def _look_after(self, member: _Member) -> _Member | None:
        """The worker, or one in its place if it died; None where it is done."""
        code = member.process.poll()
        if code is None:
            return member
        if code == 0 or fatal(self._study):
            return None
        if member.deaths + 1 == DEATHS:
            last = member.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-4:]
            raise FewshotError(
                "a worker dies again and again",
                where=member.log,
                got=f"exit code {code}: {' / '.join(last)}",
                fix="the log has all it said; the same command goes on where this one stopped",
            )
        return self._hire(member.log, member.deaths + 1)

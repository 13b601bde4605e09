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
from fewshot.search.plan import Plan
from fewshot.search.verdict import is_over, trials_of

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
        plan: what is searched, and by how many of them.
        out: the folder of the search; their logs go there.
        arguments: the command line that each is given, with `--join`.
    """

    def __init__(self, study: optuna.Study, plan: Plan, out: Path, arguments: Sequence[str]) -> None:
        self._study, self._plan, self._out, self._arguments = study, plan, out, arguments
        self._count = plan.settings.workers
        self._told: set[int] = set()  # slots whose end has been told

    def work(self, say: Callable[[FrozenTrial], None]) -> None:
        """Returns when all workers have come to their end.

        Args:
            say: is told of every trial that is finished meanwhile.

        Raises:
            FewshotError: a worker dies again and again.
        """
        self._told = {trial.user_attrs["slot"] for trial in self._finished()}
        members = [self._hire(self._out / "workers" / f"{n}.log") for n in range(self._count)]
        try:
            while members:
                time.sleep(LOOK)
                if self._tell(say):
                    for member in members:
                        member.deaths = 0
                for member in list(members):
                    if not self._goes_on(member):
                        members.remove(member)
            self._tell(say)
        finally:
            for member in members:
                member.process.terminate()
            for member in members:
                member.process.wait()

    def _tell(self, say: Callable[[FrozenTrial], None]) -> bool:
        """Tells of what has been finished since the last time; whether there was anything."""
        new = [trial for trial in self._finished() if trial.user_attrs["slot"] not in self._told]
        for trial in new:
            self._told.add(trial.user_attrs["slot"])
            say(trial)
        return bool(new)

    def _finished(self) -> list[FrozenTrial]:
        return [trial for trial in trials_of(self._study) if trial.state.is_finished()]

    def _hire(self, log: Path) -> _Member:
        return _Member(self._start(log), log)

    def _start(self, log: Path) -> "subprocess.Popen[bytes]":
        log.parent.mkdir(parents=True, exist_ok=True)
        threads = str(max(1, (os.cpu_count() or 1) // self._count))
        environment = {"OMP_NUM_THREADS": threads} | os.environ
        command = [sys.executable, "-m", "fewshot", "search", *self._arguments, "--join"]
        with log.open("ab") as file:
            return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)

    def _goes_on(self, member: _Member) -> bool:
        """Puts another process in the place of one that died; False where it is done."""
        code = member.process.poll()
        if code is None:
            return True
        if code == 0 or is_over(self._study, self._plan):
            return False
        member.deaths += 1
        if member.deaths == DEATHS:
            last = member.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-4:]
            raise FewshotError(
                "a worker dies again and again",
                where=member.log,
                got=f"exit code {code}: {' / '.join(last)}",
                fix="the log has all it said; the same command goes on where this one stopped",
            )
        member.process = self._start(member.log)
        return True

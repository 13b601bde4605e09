"""Meta-training: outer steps, validations, the best of them, states to go on from."""

import contextlib
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fewshot.average import Average
from fewshot.best import Best, Validated
from fewshot.checkpoint import restore, save_tensors, snapshot
from fewshot.engine import Engine
from fewshot.errors import Whole
from fewshot.log import Log, said_of
from fewshot.loop import OuterLoop
from fewshot.outer import Training, Validation
from fewshot.processes import Processes
from fewshot.progress import Progress
from fewshot.run import resuming
from fewshot.saved import State, Stateful, States
from fewshot.stopping import ECHO, StoppedError, Stopping
from fewshot.tasks.family import TaskFamily

CHECKPOINTS = "checkpoints"  # folder of a run


class MetaTraining:
    """Takes the outer steps of a training and keeps the best meta-parameters, in place.

    Args:
        family: where episodes come from.
        engine: the learner with its algorithm, prepared.
        training: the outer loop.
        validation: when the meta-parameters are validated.
        validate: the validation episodes after so many steps, with the meta-parameters as they are.
        log: takes a line of every step.
        folder: the run directory; None where nothing is written, and nothing can go on.
        title: of the progress.
        processes: share out the episodes; the first writes.
    """

    def __init__(
        self,
        family: TaskFamily,
        engine: Engine,
        training: Training,
        validation: Validation,
        validate: Callable[[int], Validated],
        log: Log,
        folder: Path | None,
        title: str,
        processes: Processes = Processes(),
    ) -> None:
        self._engine, self._training, self._validation = engine, training, validation
        self._validate, self._log, self._folder, self._title = validate, log, folder, title
        self._processes = processes
        self._stopping = Stopping(folder is not None, ECHO if processes.size > 1 else 0.0)
        self._loop = OuterLoop(family, engine, training, processes, self._stopping)
        self._best = Best(snapshot(self._loop.parameters))
        self._average = Average(self._loop.parameters, training.average)
        self._parts: dict[str, Stateful] = {
            "loop": self._loop,
            "best": self._best,
            "average": self._average,
            "learner": engine.learner,
        }
        self._kept: Validated | None = None
        self._states = States(folder / CHECKPOINTS, training.keep) if folder and processes.first else None

    @property
    def skipped(self) -> int:
        """Outer steps that were not taken."""
        return self._loop.skips.total

    def run(
        self, said: Sequence[str], told: Callable[[Validated], None], before: State | None, skipped: int
    ) -> Validated | None:
        """Takes the steps.

        Args:
            said: what is told at the begin.
            told: is given every validation; what it raises ends the training.
            before: where an earlier process stopped; None to begin.
            skipped: steps that were not taken before meta-training, for the state.

        Returns:
            The validation whose meta-parameters are kept; None where there was none.

        Raises:
            StoppedError: by Ctrl-C or SIGTERM, where there is a run directory; the state is saved then.
            FewshotError: a loss that is not finite, a disk that is full.
        """
        first = before.step if before else 0
        self._skipped_before = skipped
        with (
            self._stopping,
            Progress(self._title, self._training.steps, first) as progress,
        ):
            self._engine.chunks.say = progress.say
            for line in said:
                progress.say(line)
            if before:
                self._go_on(before)
            else:
                self._save(0)  # what came before need not be done again
            if not self._stops_early():
                self._steps(first, progress, told)
        return self._end()

    def _go_on(self, before: State) -> None:
        before.load(self._parts)
        self._engine.chunks.tasks = before.facts["tasks_at_once"]

    def _steps(self, first: int, progress: Progress, told: Callable[[Validated], None]) -> None:
        with contextlib.closing(self._loop.lines(first)) as lines:
            for line in lines:
                step = line["step"]
                self._average.update()
                found = self._validated(step, line, progress)
                self._log.add(line)
                progress.advance(1, said_of(line))
                if "skipped" in line:
                    progress.say(f"step {step} is skipped, not finite: {line['skipped']}")
                if found:
                    told(found)
                last = step == self._training.steps or bool(found and self._stops_early())
                asked = self._loop.asked(last)
                if last or asked or (self._training.save and step % self._training.save == 0):
                    self._save(step)
                if asked and self._folder:
                    self._processes.gather([step])  # nobody ends before the first has saved
                    raise stopped(asked, f"after outer step {step} of {self._training.steps}", self._folder)
                if last and step < self._training.steps:
                    progress.say(f"stopped early: the best validation was at step {self._best.step}")
                if last:
                    break

    def _validated(self, step: int, line: dict[str, Any], progress: Progress) -> Validated | None:
        """The validation that is due after a step, whose figures the line is given; None where none is."""
        every = self._validation.every
        if not every or (step != self._training.steps and step % every):
            return None
        with self._average.in_place():
            found = self._validate(step)
            if self._best.take(self._loop.parameters, step, found.accuracy, found.loss):
                self._kept = found
                if self._folder and self._processes.first:
                    save_tensors(self._folder / CHECKPOINTS / "best.safetensors", self._best.values)
        line |= found.line(self._validation.baseline_loss)
        progress.say(f"step {step}: validation accuracy {line['valid_accuracy']:.3f}")
        return found

    def _stops_early(self) -> bool:
        return bool(self._validation.patience and self._best.worse >= self._validation.patience)

    def _save(self, step: int) -> None:
        if self._states:
            facts = {"log": self._log.settled(), "skipped": self._skipped_before}
            facts["tasks_at_once"] = self._engine.chunks.tasks
            self._states.write(State.of(step, self._parts, facts))

    def _end(self) -> Validated | None:
        """The best meta-parameters in place, else the last."""
        self._average.put()
        if not self._best.step:
            return None
        restore(self._loop.parameters, self._best.values, "best validation")
        return self._kept or self._validate(
            self._best.step
        )  # it was before this process; it comes out the same


def stopped(asked: signal.Signals, when: str, folder: Path) -> StoppedError:
    """What is said where a training was stopped from outside."""
    return StoppedError(
        "stopped as asked; the state is saved",
        asked,
        where=folder,
        got=f"{asked.name} {when}",
        fix=Whole(f"to go on: {resuming(folder)}; from Python, Trainer(..., resume=True)"),
    )

"""The outer loop: meta-trains a learner on the episodes of a family."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from fewshot.algorithms.algorithm import Algorithm, foresee, ready
from fewshot.best import Validated
from fewshot.cards.card import card
from fewshot.chunks import Chunks
from fewshot.data.split import SIDES, Side
from fewshot.engine import Engine
from fewshot.errors import InputError
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.inspection.inspect import inspect
from fewshot.log import Log, said_of
from fewshot.metatraining import CHECKPOINTS, MetaTraining
from fewshot.models.learner import Learner
from fewshot.outer import Training, Validation
from fewshot.processes import Processes
from fewshot.progress import Progress
from fewshot.reopening import reopen
from fewshot.run import Run, RunFolder, settings_alone
from fewshot.saved import State, States
from fewshot.tasks.apart import report_of
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.trackers import Trackers
from fewshot.transfer import MultiTaskStart

TRANSFER = "multi-task"  # a stage of the training


class Trainer:
    """Meta-trains `model` with `algorithm` on `family`, and evaluates it on the test side.

    Args:
        family: where episodes come from.
        model: the learner; its meta-parameters are changed in place.
        algorithm: how a task is learned.
        training: the outer loop.
        validation: which meta-parameters are kept.
        evaluation: the test episodes.
        out: the run directory to write; nothing is written where it is None.
        strict: refuse a family whose sides share classes, texts or near-duplicates; a run directory reports
            them in any case, in `data.json`.
        config: gives the text of `config.yaml`; asked once the algorithm is prepared.
        title: what the progress bar says; no bar where it is empty.
        trackers: 'tensorboard', 'wandb': are given the lines of the log and the test figures, in `out`.
        resume: go on with the training in `out`, from its last state, if there is one; the result is the same
            as if it had not been stopped.
        processes: share out the episodes (`fewshot.processes.together`); the first one writes, and says what
            there is to say.
    """

    def __init__(
        self,
        family: TaskFamily,
        model: Learner,
        algorithm: Algorithm,
        training: Training = Training(),
        validation: Validation = Validation(),
        evaluation: Evaluation = Evaluation(),
        out: str | Path | None = None,
        config: Callable[[], str] | None = None,
        strict: bool = False,
        title: str = "meta-training",
        trackers: Sequence[str] = (),
        resume: bool = False,
        processes: Processes = Processes(),
    ) -> None:
        self.family, self.model, self.algorithm = family, model, algorithm
        self.training, self.validation, self.evaluation = training, validation, evaluation
        self._out, self._processes = Path(out) if out is not None else None, processes
        self._folder = RunFolder(self._out) if self._out and processes.first else None
        self._config, self._strict = config or self._settings, strict and processes.first
        self._data: dict[str, Any] | None = None
        self._said: list[str] | None = None  # what the parts said when they were prepared
        self._title, self._skipped, self._resume = title if processes.first else "", 0, resume
        asked = trackers if processes.first else ()
        self.log = Log(self._folder, Trackers(asked, self._folder.path if self._folder else None))
        self._trains = algorithm.trainable and training.steps > 0
        at_once = training.tasks_at_once
        tasks = training.meta_batch if at_once == "auto" else min(at_once, training.meta_batch)
        self.engine = Engine(model, algorithm, Chunks(model, tasks, algorithm.takes_parts))
        self._start = MultiTaskStart(family, model, self.engine.chunks, training, processes)

    def check(self, test: bool = True) -> None:
        """Prepares the parts, starts the first episode of every side, measures how many tasks fit at once.

        Args:
            test: whether the test side will be used.

        Raises:
            InputError: an episode that cannot be drawn, that the model cannot take, or that does not fit.
        """
        if self._said is not None:
            return
        leaks = self._leaks()
        with (
            contextlib.nullcontext() if self._trains else contextlib.suppress(InputError)
        ):  # a side that is not there
            self.algorithm.meet(self.family.split("train").classes())
        if self.algorithm.trainable:
            self._start.check()
        said = [*leaks, self.algorithm.prepare(self.model)]
        used = {"train": self._trains, "valid": self._trains and self.validation.every, "test": test}
        for side in SIDES:
            if used[side]:
                foresee(self.model, self.family.split(side))
                drawn = list(episodes(self.family, side, self.training.seed, [0]))
                with torch.no_grad():
                    self.model.start(ready(self.model, drawn)[0])
                if side == "train":
                    self.engine.measure(drawn[0], self._most_at_once())
        self._said = [*said, self.model.note()]

    def _leaks(self) -> list[str]:
        """What two sides share, in words; looked for where it is reported or refused."""
        wanted = self._folder is not None or self._strict
        self._data, said = report_of(self.family, self._strict) if wanted else (None, [])
        return said

    def _most_at_once(self) -> int | None:
        """The most tasks of a chunk, to be measured; None where their number is given."""
        return self.training.meta_batch if self.training.tasks_at_once == "auto" else None

    def resolved(self) -> dict[str, Any]:
        """Settings of the outer loop given as 'auto', and what they became."""
        return {"tasks_at_once": self.engine.chunks.tasks}

    def fit(self) -> Run:
        """Trains, keeps the best meta-parameters, evaluates them on the test episodes.

        Raises:
            InputError: an episode that cannot be drawn; nothing has been written then.
            StoppedError: by Ctrl-C or SIGTERM; the state is saved then.
            FewshotError: a loss that is not finite, a disk that is full.
        """
        started = time.perf_counter()
        self.check()
        with contextlib.closing(self.log):
            kept = self.train()
            results = self._evaluate(self.evaluation, "test", "test episodes")
            return self._finish(results, kept, time.perf_counter() - started)

    def train(self, told: Callable[[Validated], None] | None = None) -> Validated | None:
        """Trains and keeps the best meta-parameters; draws no test episode.

        Args:
            told: is given every validation; what it raises ends the training.

        Returns:
            The validation whose meta-parameters are kept; None where none was asked for.

        Raises:
            InputError: an episode that cannot be drawn; nothing has been written then.
            FewshotError: a loss that is not finite, a disk that is full.
        """
        self.check(test=False)
        config, say = self._config(), Progress(self._title, 0).say
        before = self._processes.from_first(self._open(config, say))
        self.log.start(config, say)
        if self._trains:
            if before is None:
                self._transfer()
            kept = self._meta_train(told or (lambda _: None), before)
        else:
            kept = self._untrained(told is not None)
        if self._folder:
            self._folder.write_meta(self.model, self.algorithm)
        return kept

    def _open(self, config: str, say: Callable[[str], None]) -> State | None:
        """The run directory, new, or one to go on with; then its last state, if it has one."""
        if not self._folder:
            return None
        if not (self._resume and self._folder.path.exists()):
            self._folder.create(config, self._data)
            return None
        reopen(self._folder, config, self._data)
        found = States(self._folder.path / CHECKPOINTS, self.training.keep).latest(say)
        self.log.cut(found.facts["log"] if found else 0)
        say(f"going on after outer step {found.step}" if found else "beginning again: no state was saved")
        return found

    def _meta_train(self, told: Callable[[Validated], None], before: State | None) -> Validated | None:
        self._skipped = before.facts["skipped"] if before else self._skipped
        given = self.training, self.validation, self.validate, self.log, self._out, self._title
        work = MetaTraining(self.family, self.engine, *given, self._processes)
        kept = work.run(self._said or (), told, before, self._skipped)
        self._skipped += work.skipped
        return kept

    def _untrained(self, asked: bool) -> Validated | None:
        """Without outer steps: transfer alone, or nothing; validated where there is such a side."""
        if self.algorithm.trainable:
            self._transfer()
        if not self.validation.every:
            return None
        with contextlib.nullcontext() if asked else contextlib.suppress(InputError):
            return self.validate(0)

    def validate(self, step: int) -> Validated:
        """The validation episodes with the meta-parameters as they are after `step` outer steps."""
        settings = replace(
            self.evaluation,
            episodes=self.validation.episodes,
            seed=self.training.seed,
            repeats=1,
            curve=False,
        )
        return Validated(step, self._evaluate(settings, "valid"))

    def _evaluate(self, settings: Evaluation, side: Side, title: str = "") -> list[TaskResult]:
        parts = self.family, self.model, self.algorithm
        return evaluate(*parts, settings, side=side, title=title, processes=self._processes)

    def _transfer(self) -> None:
        """Multi-task training, if it is asked for."""
        steps, shown = self.training.multitask_steps, self._processes.first
        with Progress("multi-task training" if steps and shown else "", steps) as progress:
            for line in self._start.lines():
                self.log.add({"stage": TRANSFER} | line)
                progress.advance(1, said_of(line))
        self._skipped += self._start.skipped

    def _finish(self, results: list[TaskResult], kept: Validated | None, seconds: float) -> Run:
        baseline = self.validation.baseline_loss
        summary = RunFolder.summary(results, self.evaluation, self.model, self.algorithm, seconds, baseline)
        summary["skipped_steps"] = self._skipped
        summary["objective"] = self.log.objective()
        summary["validation"] = kept and kept.line(baseline) | {"step": kept.step}
        self.log.end(summary)
        path = self._folder.path if self._folder else None
        run = Run(self.model, self.algorithm, results, summary, path)
        if path:
            inspection = inspect(self.model, self.algorithm, results, self.evaluation, title="inspection")
            text = card(run, path, self.family, self.training, self._data or {})
            RunFolder.write_results(path, results, summary, self.family, inspection, text)
        return run

    def _settings(self) -> str:
        groups = {name: asdict(getattr(self, name)) for name in ("training", "validation", "evaluation")}
        groups["training"] |= self.resolved()
        return settings_alone((self.family, self.model, self.algorithm), groups)

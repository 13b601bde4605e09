"""The outer loop: meta-trains a learner on the episodes of a family."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from fewshot.ahead import ahead
from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.best import Best
from fewshot.checkpoint import meta_parameters, restore, save_tensors, snapshot
from fewshot.chunks import Chunks
from fewshot.data.split import SIDES
from fewshot.engine import DivergedError, Engine, MetaBatch, Outcome
from fewshot.errors import InputError
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.memory import peak_memory
from fewshot.models.compute import product_rate
from fewshot.models.learner import Learner
from fewshot.optimiser import adamw
from fewshot.outer import Training, Validation
from fewshot.progress import Progress
from fewshot.run import RunFolder, settings_alone
from fewshot.skips import Skips
from fewshot.tasks.apart import report_of
from fewshot.tasks.family import TaskFamily, episodes


@dataclass(frozen=True)
class Run:
    """What `Trainer.fit` gives back.

    Args:
        model: the learner with the meta-parameters that were kept.
        algorithm: likewise.
        results: the test tasks.
        summary: the content of `summary.json`.
        folder: the run directory, None where nothing was written.
    """

    model: Learner
    algorithm: Algorithm
    results: list[TaskResult]
    summary: dict[str, Any]
    folder: Path | None


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
    ) -> None:
        self.family, self.model, self.algorithm = family, model, algorithm
        self.training, self.validation, self.evaluation = training, validation, evaluation
        self._folder = RunFolder(Path(out)) if out is not None else None
        self._config, self._strict = config or self._settings, strict
        self._data: dict[str, Any] | None = None
        self._said: list[str] | None = None  # what the parts said when they were prepared
        self._skips = Skips(training.steps, training.meta_batch)
        at_once = training.tasks_at_once
        tasks = training.meta_batch if at_once == "auto" else min(at_once, training.meta_batch)
        self.engine = Engine(model, algorithm, Chunks(model, tasks, algorithm.takes_parts))

    def check(self) -> None:
        """Prepares the parts, starts the first episode of every side, measures how many tasks fit at once.

        Raises:
            InputError: an episode that cannot be drawn, that the model cannot take, or that does not fit.
        """
        if self._said is not None:
            return
        leaks = self._leaks()
        trains = self.algorithm.trainable and self.training.steps
        with (
            contextlib.nullcontext() if trains else contextlib.suppress(InputError)
        ):  # a side that is not there
            self.algorithm.meet(self.family.split("train").classes())
        said = [*leaks, self.algorithm.prepare(self.model)]
        used = {"train": trains, "valid": trains and self.validation.every, "test": True}
        for side in SIDES:
            if used[side]:
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
            FewshotError: a loss that is not finite, a disk that is full.
        """
        started = time.perf_counter()
        self.check()
        self._parameters = meta_parameters(self.model, self.algorithm)
        if self._folder:
            self._folder.create(self._config(), self._data)
        if self.algorithm.trainable and self.training.steps:
            self._train()
        if self._folder:
            self._folder.write_meta(self.model, self.algorithm)
        results = evaluate(self.family, self.model, self.algorithm, self.evaluation, title="test episodes")
        return self._finish(results, time.perf_counter() - started)

    def _train(self) -> None:
        optimiser = adamw(self._parameters, self.training, self.algorithm.lr_factor)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, self.training.factor)
        best = Best(snapshot(self._parameters))
        with (
            Progress("meta-training", self.training.steps) as progress,
            contextlib.closing(ahead(self._batches())) as batches,
        ):
            self.engine.chunks.say = progress.say
            for said in self._said or ():
                progress.say(said)
            for step in range(self.training.steps):
                line = self._step(step, batches, optimiser)
                if "skipped" not in line:
                    scheduler.step()
                every, last = self.validation.every, step + 1 == self.training.steps
                due = every and (last or (step + 1) % every == 0)
                if due:
                    line |= self._validate(step + 1, best)
                    progress.say(f"step {step + 1}: validation accuracy {line['valid_accuracy']:.3f}")
                if self._folder:
                    self._folder.log(line)
                progress.advance(1, _said_of(line))
                if "skipped" in line:
                    progress.say(f"step {step + 1} is skipped, not finite: {line['skipped']}")
                if due and self.validation.patience and best.worse >= self.validation.patience:
                    progress.say(f"stopped early: the best validation was at step {best.step}")
                    break
        if self.validation.every and best.step:
            restore(self._parameters, best.values, "best validation")

    def _batches(self) -> Iterator[MetaBatch]:
        """The meta-batch of every step."""
        size = self.training.meta_batch
        for step in range(self.training.steps):
            numbers = range(step * size, (step + 1) * size)
            yield self.engine.collate(list(episodes(self.family, "train", self.training.seed, numbers)))

    def _step(
        self, step: int, batches: Iterator[MetaBatch], optimiser: torch.optim.Optimizer
    ) -> dict[str, Any]:
        """One outer step; returns its line of the log."""
        started = time.perf_counter()
        batch = next(batches)
        self.algorithm.at(step / self.training.steps)
        try:
            outcome = self.engine.gradient(batch, step)
        except DivergedError as error:
            return self._skips.skip(step, str(error))
        self._skips.taken()
        norm = torch.nn.utils.clip_grad_norm_(list(self._parameters.values()), self.training.clip).item()
        rate = optimiser.param_groups[0]["lr"]
        optimiser.step()
        learned = {"loss": outcome.loss, "accuracy": outcome.accuracy, "gradient_norm": norm, "lr": rate}
        return {"step": step + 1} | learned | self._speed(outcome, time.perf_counter() - started)

    def _speed(self, outcome: Outcome, seconds: float) -> dict[str, Any]:
        """What a step cost: tokens are the real ones of support and query, memory is in bytes."""
        device, tokens = self.model.device, outcome.cost.get("tokens", 0)
        operations = self.engine.operations_per_token * tokens
        return {
            "seconds": seconds,
            "tasks_per_second": self.training.meta_batch / seconds,
            "tokens_per_second": tokens / seconds,
            "peak_memory": peak_memory(device),
            "matmul_share": operations / seconds / product_rate(device),
            "tasks_at_once": self.engine.chunks.tasks,
            "rows_at_once": self.model.rows_at_once,
        } | outcome.cost

    def _validate(self, step: int, best: Best) -> dict[str, Any]:
        settings = Evaluation(self.validation.episodes, self.training.seed, self.evaluation.tasks_at_once)
        results = evaluate(self.family, self.model, self.algorithm, settings, side="valid")
        accuracy = sum(result.after.accuracy for result in results) / len(results)
        loss = sum(result.loss for result in results) / len(results)
        if best.take(self._parameters, step, accuracy, loss) and self._folder:
            save_tensors(self._folder.path / "checkpoints" / "best.safetensors", best.values)
        return {"valid_accuracy": accuracy, "valid_loss": loss}

    def _finish(self, results: list[TaskResult], seconds: float) -> Run:
        summary = RunFolder.summary(results, self.evaluation.seed, self.model, self.algorithm, seconds)
        summary["skipped_steps"] = self._skips.total
        path = self._folder.path if self._folder else None
        if path:
            RunFolder.write_results(path, results, summary, self.family)
        return Run(self.model, self.algorithm, results, summary, path)

    def _settings(self) -> str:
        groups = {name: asdict(getattr(self, name)) for name in ("training", "validation", "evaluation")}
        groups["training"] |= self.resolved()
        return settings_alone((self.family, self.model, self.algorithm), groups)


def _said_of(line: Mapping[str, Any]) -> str:
    """What the progress bar says of a step."""
    if "skipped" in line:
        return "skipped"
    return f"loss {line['loss']:.3f}, query accuracy {line['accuracy']:.3f}"

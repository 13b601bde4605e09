"""The outer loop: meta-trains a learner on the episodes of a family."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from fewshot.algorithms.algorithm import Algorithm, collate
from fewshot.checkpoint import meta_parameters, restore, save_tensors, snapshot
from fewshot.data.split import SIDES
from fewshot.errors import FewshotError
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.models.learner import Learner
from fewshot.outer import Training, Validation
from fewshot.progress import Progress
from fewshot.run import RunFolder
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


@dataclass
class _Best:
    """The best validation so far, and the meta-parameters that reached it."""

    values: dict[str, Tensor]
    accuracy: float = -1.0
    step: int = 0
    worse: int = 0


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
    ) -> None:
        self.family, self.model, self.algorithm = family, model, algorithm
        self.training, self.validation, self.evaluation = training, validation, evaluation
        self._folder = RunFolder(Path(out)) if out is not None else None
        self._config = config or self._settings_alone
        self._said: list[str] | None = None  # what the parts said when they were prepared

    def check(self) -> None:
        """Prepares the parts, and draws and starts the first episode of every side that is used.

        Raises:
            InputError: an episode that cannot be drawn, or that the model cannot take.
        """
        if self._said is not None:
            return
        said = [self.algorithm.prepare(self.model), self.model.note()]
        trains = self.algorithm.trainable and self.training.steps
        used = {"train": trains, "valid": trains and self.validation.every, "test": True}
        for side in SIDES:
            if used[side]:
                support, _ = collate(self.model, list(episodes(self.family, side, self.training.seed, [0])))
                with torch.no_grad():
                    self.model.start(support)
        self._said = said

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
            self._folder.create(self._config())
        if self.algorithm.trainable and self.training.steps:
            self._train()
        if self._folder:
            self._folder.write_meta(self.model, self.algorithm)
        results = evaluate(self.family, self.model, self.algorithm, self.evaluation, title="test episodes")
        return self._finish(results, time.perf_counter() - started)

    def _train(self) -> None:
        optimiser = self._optimiser()
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, self.training.factor)
        best = _Best(snapshot(self._parameters))
        with Progress("meta-training", self.training.steps) as progress:
            for said in self._said or ():
                progress.say(said)
            for step in range(self.training.steps):
                line = self._step(step, optimiser)
                scheduler.step()
                every, last = self.validation.every, step + 1 == self.training.steps
                due = every and (last or (step + 1) % every == 0)
                if due:
                    line |= self._validate(step + 1, best)
                    progress.say(f"step {step + 1}: validation accuracy {line['valid_accuracy']:.3f}")
                if self._folder:
                    self._folder.log(line)
                progress.advance(1, f"loss {line['loss']:.3f}, query accuracy {line['accuracy']:.3f}")
                if due and self.validation.patience and best.worse >= self.validation.patience:
                    progress.say(f"stopped early: the best validation was at step {best.step}")
                    break
        if self.validation.every and best.step:
            restore(self._parameters, best.values, "best validation")

    def _optimiser(self) -> torch.optim.AdamW:
        """AdamW; weight decay on the adapter alone, the algorithm's own rate for its parameters."""
        groups: dict[str, list[Tensor]] = {"adapter": [], "head": [], "algorithm": []}
        for name, parameter in self._parameters.items():
            groups[name.split(".")[0]].append(parameter)
        settings = self.training
        options: Mapping[str, dict[str, float]] = {
            "adapter": {"weight_decay": settings.weight_decay},
            "head": {},
            "algorithm": {"lr": settings.lr * self.algorithm.lr_factor},
        }
        used = [{"params": group} | options[name] for name, group in groups.items() if group]
        return torch.optim.AdamW(used, lr=settings.lr, weight_decay=0.0)

    def _step(self, step: int, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
        """One outer step; returns its line of the log."""
        started = time.perf_counter()
        size = self.training.meta_batch
        drawn = list(
            episodes(self.family, "train", self.training.seed, range(step * size, (step + 1) * size))
        )
        support, query = collate(self.model, drawn)
        outcome = self.algorithm.meta_step(self.model, support, query)
        loss = outcome.losses.mean()
        if not torch.isfinite(loss):
            raise FewshotError(
                "the loss is not finite",
                where=f"outer step {step + 1}, episodes {step * size} to {(step + 1) * size - 1}",
                got=loss.item(),
                fix="lower training.lr or algorithm.inner_lr",
            )
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(list(self._parameters.values()), self.training.clip)
        rate = optimiser.param_groups[0]["lr"]
        optimiser.step()
        return {
            "step": step + 1,
            "loss": loss.item(),
            "accuracy": (outcome.scores.argmax(-1) == query.labels).float().mean().item(),
            "gradient_norm": norm.item(),
            "lr": rate,
            "seconds": time.perf_counter() - started,
        } | self.model.cost(support, query)

    def _validate(self, step: int, best: _Best) -> dict[str, Any]:
        settings = Evaluation(self.validation.episodes, self.training.seed, self.evaluation.tasks_at_once)
        results = evaluate(self.family, self.model, self.algorithm, settings, side="valid")
        accuracy = sum(result.after.accuracy for result in results) / len(results)
        loss = sum(result.loss for result in results) / len(results)
        best.worse += 1
        if accuracy > best.accuracy:
            best.values, best.accuracy, best.step, best.worse = snapshot(self._parameters), accuracy, step, 0
            if self._folder:
                save_tensors(self._folder.path / "checkpoints" / "best.safetensors", best.values)
        return {"valid_accuracy": accuracy, "valid_loss": loss}

    def _finish(self, results: list[TaskResult], seconds: float) -> Run:
        summary = RunFolder.summary(results, self.evaluation.seed, self.algorithm, seconds)
        path = self._folder.path if self._folder else None
        if path:
            RunFolder.write_results(path, results, summary)
        return Run(self.model, self.algorithm, results, summary, path)

    def _settings_alone(self) -> str:
        """What can be recorded of a run started from Python, whose parts are objects."""
        parts = (self.family, self.model, self.algorithm)
        names = ", ".join(type(part).__name__ for part in parts)
        groups = {name: asdict(getattr(self, name)) for name in ("training", "validation", "evaluation")}
        return f"# started from Python with {names}\n" + yaml.safe_dump(groups, sort_keys=False)

"""The outer loop: one optimiser step after another on the meta-gradient of a meta-batch."""

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from fewshot.ahead import ahead
from fewshot.checkpoint import meta_parameters, restore, snapshot
from fewshot.engine import DivergedError, Engine, MetaBatch, Outcome
from fewshot.joint import Joint
from fewshot.memory import peak_memory
from fewshot.models.learner import in_shares
from fewshot.models.rates import product_rate
from fewshot.optimiser import adamw
from fewshot.outer import Training
from fewshot.processes import Processes
from fewshot.skips import Skips
from fewshot.stopping import Asked, Stopping
from fewshot.tasks.family import TaskFamily, episodes


class OuterLoop:
    """Outer steps of one algorithm; changes the meta-parameters in place.

    Args:
        family: where the episodes come from.
        engine: the learner with its algorithm, prepared.
        settings: how many steps, how fast.
        processes: share out the episodes of every step.
        stopping: who is asked to stop; nobody where it is None.
    """

    def __init__(
        self,
        family: TaskFamily,
        engine: Engine,
        settings: Training,
        processes: Processes = Processes(),
        stopping: Stopping | None = None,
    ) -> None:
        self.parameters = meta_parameters(engine.learner, engine.algorithm)
        self._processes, self._stopping = processes, stopping
        self._joint = Joint(engine, processes, self.parameters)
        self._share = range(settings.meta_batch)  # episodes of a step that are this process's
        self.skips = Skips(settings.steps, settings.meta_batch)
        self._family, self._engine, self._settings = family, engine, settings
        self._optimiser = adamw(self.parameters, settings, engine.algorithm.lr_factor)
        self._scheduler = torch.optim.lr_scheduler.LambdaLR(self._optimiser, settings.factor)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Meta-parameters and moments of the optimiser; its rates, the schedule, what was skipped."""
        kept = self._optimiser.state_dict()
        tensors = {f"parameter/{name}": value for name, value in snapshot(self.parameters).items()}
        moments = {f"{n}/{name}": value for n, own in kept["state"].items() for name, value in own.items()}
        tensors |= {f"optimiser/{name}": value for name, value in moments.items()}
        schedule = self._scheduler.state_dict()
        return tensors, {"groups": kept["param_groups"], "schedule": schedule, "skips": self.skips.counts()}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Takes what `state` gave.

        Raises:
            InputError: the meta-parameters of another model or algorithm.
        """
        parts: dict[str, dict[str, Tensor]] = {"parameter": {}, "optimiser": {}}
        for name, value in tensors.items():
            part, _, own = name.partition("/")
            parts[part][own] = value
        restore(self.parameters, parts["parameter"], "the saved state")
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimiser"].items():
            number, _, own = name.partition("/")
            moments.setdefault(int(number), {})[own] = value
        self._optimiser.load_state_dict({"state": moments, "param_groups": facts["groups"]})
        self._scheduler.load_state_dict(dict(facts["schedule"]))
        self.skips.restore(facts["skips"])

    def asked(self, last: bool) -> Asked:
        """The signal by which any of the processes was asked to stop, the same in all.

        Args:
            last: after a step that no other one follows, where later signals count as well.
        """
        own = self._stopping.asked if self._stopping else None
        if self._processes.size == 1:
            return own
        return next(filter(None, self._processes.gather([own])), None) if last else self._joint.asked

    def lines(self, first: int = 0) -> Generator[dict[str, Any]]:
        """Takes the steps; gives each one's line of the log, for the caller to stop between two of them.

        All processes begin with the meta-parameters of the first.

        Args:
            first: steps that were taken before.

        Raises:
            FewshotError: steps whose loss is not finite, too many in a row.
        """
        if self._processes.size > 1:
            begin = self._processes.from_first(snapshot(self.parameters))
            restore(self.parameters, begin, "the first process")
            # whole chunks where there are enough of them, so that their sums are those of one process
            chunk = min(self._processes.gather([self._engine.chunks.tasks]))
            self._share = self._processes.share(self._settings.meta_batch, chunk)
        with contextlib.closing(ahead(self._batches(first))) as batches:
            for step in range(first, self._settings.steps):
                line = self._step(step, batches)
                if "skipped" not in line:
                    self._scheduler.step()
                yield line

    def _batches(self, first: int) -> Iterator[MetaBatch]:
        """What this process has of the meta-batch of every step from one on."""
        size, seed = self._settings.meta_batch, self._settings.seed
        for step in range(first, self._settings.steps):
            numbers = [step * size + number for number in self._share]
            drawn = list(episodes(self._family, "train", seed, numbers))
            yield self._engine.collate(drawn, self._share.start, size)

    def _step(self, step: int, batches: Iterator[MetaBatch]) -> dict[str, Any]:
        started = time.perf_counter()
        batch = next(batches)
        self._engine.algorithm.at(step / self._settings.steps)
        try:
            outcome = self._joint.gradient(batch, step, self._stopping.asked if self._stopping else None)
        except DivergedError as error:
            return self.skips.skip(step, str(error))
        self.skips.taken()
        clip = self._settings.clip
        norm = torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), clip).item()
        rate = self._optimiser.param_groups[0]["lr"]
        self._optimiser.step()
        learned = {"loss": outcome.loss}
        if outcome.baseline > 0:  # J(theta): the loss over that of guessing by the class prior; 1 is chance
            learned["objective"] = outcome.loss / outcome.baseline
        learned |= {"accuracy": outcome.accuracy, "gradient_norm": norm, "lr": rate}
        return {"step": step + 1} | learned | self._speed(outcome, time.perf_counter() - started)

    def _speed(self, outcome: Outcome, seconds: float) -> dict[str, Any]:
        """What a step cost: tokens are the real ones of support and query of all processes.

        Memory, in bytes, and what is taken at once are those of this process.
        """
        engine, learner = self._engine, self._engine.learner
        tokens = outcome.cost.get("tokens", 0)
        rate = product_rate(learner.device) * self._processes.size
        return {
            "seconds": seconds,
            "tasks_per_second": self._settings.meta_batch / seconds,
            "tokens_per_second": tokens / seconds,
            "peak_memory": peak_memory(learner.device),
            "matmul_share": engine.operations_per_token * tokens / seconds / rate,
            "tasks_at_once": engine.chunks.tasks,
            "rows_at_once": learner.rows_at_once,
        } | in_shares(outcome.cost)

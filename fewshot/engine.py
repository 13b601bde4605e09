"""The meta-gradient of one outer step: chunk by chunk, as large as the memory allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from fewshot.algorithms.algorithm import Algorithm, MetaStep, collate
from fewshot.chunks import Chunks
from fewshot.gradients import Gradients
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.products import COUNTED
from fewshot.tasks.episode import Episode


@dataclass(frozen=True)
class MetaBatch:
    """Episodes of one outer step, tokenised.

    Args:
        episodes: as they were drawn.
        parts: support and query of each chunk, on the host.
        cut: tasks and rows at once for which they were made.
        first: number of the first of them in the whole meta-batch.
        tasks: how many the whole meta-batch has; other processes have the others.
    """

    episodes: Sequence[Episode]
    parts: Sequence[tuple[TaskBatch, TaskBatch]]
    cut: tuple[int, int]
    first: int
    tasks: int


@dataclass(frozen=True)
class Outcome:
    """What an outer step found beside the gradient; of shares of a meta-batch, all of it adds up.

    Args:
        loss: query losses of the tasks, over the number of tasks in the whole meta-batch.
        baseline: likewise, the loss of guessing by the class prior.
        right: right answers.
        rows: query rows.
        cost: see `Learner.cost`.
    """

    loss: float
    baseline: float
    right: float
    rows: float
    cost: dict[str, int]

    @property
    def accuracy(self) -> float:
        """Share of right answers among the query rows."""
        return self.right / self.rows


class DivergedError(Exception):
    """A loss of an outer step is NaN or infinite; says which."""


class Engine:
    """Sets the meta-parameters' `grad` to the meta-gradient of a meta-batch.

    Args:
        learner: the model.
        algorithm: prepared for it.
        chunks: how many tasks are adapted together.
    """

    def __init__(self, learner: Learner, algorithm: Algorithm, chunks: Chunks) -> None:
        self.learner, self.algorithm, self.chunks = learner, algorithm, chunks
        self.operations_per_token = 0.0
        self.gradients = Gradients()  # of the last meta-batch

    def collate(self, episodes: Sequence[Episode], first: int = 0, tasks: int | None = None) -> MetaBatch:
        """Tokenises episodes; a thread beside the model can do it.

        Args:
            episodes: those of this process.
            first: number of the first of them in the whole meta-batch.
            tasks: how many that has; by default as many as are given.
        """
        cut = self._cut
        begins = range(0, len(episodes), cut[0])
        parts = [collate(self.learner, episodes[begin : begin + cut[0]]) for begin in begins]
        return MetaBatch(episodes, parts, cut, first, len(episodes) if tasks is None else tasks)

    def gradient(self, batch: MetaBatch, step: int = 0) -> Outcome:
        """The gradient of the mean query loss; the same whatever the chunks are, but for rounding.

        Of a share of a meta-batch, its part in that mean.

        Args:
            batch: the episodes.
            step: the number of the outer step, for what is random in it.

        Raises:
            InputError: the memory does not hold the least that can be computed.
            DivergedError: a loss that is not finite.
        """

        def work() -> Outcome:
            fits = batch if batch.cut == self._cut else self.collate(batch.episodes, batch.first, batch.tasks)
            return self._accumulate(fits, step)

        return self.chunks.run(work, _rows(batch.episodes))

    def measure(self, episode: Episode, most: int | None) -> None:
        """One task's gradient, thrown away: sizes the chunks by it and counts its operations.

        Args:
            episode: the task.
            most: tasks of a chunk at most; None leaves the chunks as they are.
        """
        operations = 0

        def work() -> Outcome:
            nonlocal operations
            batch = self.collate([episode])
            for each in batch.parts[0]:
                self.learner.place(each)  # so that what is computed once a text is not counted
            with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
                outcome = self._accumulate(batch, 0, check=False)
            operations = counter.get_total_flops()  # of the try that came through
            return outcome

        rows = _rows([episode])
        fit = self.chunks.run(work, rows) if most is None else self.chunks.fit(work, rows, most)
        self.operations_per_token = operations / max(
            fit.cost.get("padded_tokens", 0), 1
        )  # one task has more padding
        self.gradients.clear(self._parameters())

    def _accumulate(self, batch: MetaBatch, number: int, check: bool = True) -> Outcome:
        # begun anew after an error: a backward pass that broke off has left part of its gradient
        self.gradients.clear(self._parameters())
        loss = right = rows = 0.0
        done, share, read = 0, len(batch.episodes) / batch.tasks, list[TaskBatch]()
        for part in batch.parts:
            step, support, query = self._meta_step(*part, number)
            read += [support, step.asked or query]
            if check:
                self._check(step, batch.first + done, batch.tasks)
            differentiated = step.losses if step.surrogate is None else step.surrogate
            torch.autograd.backward(differentiated.sum() / batch.tasks)
            if len(batch.parts) > 1:
                self.gradients.take(self._parameters())
            loss += step.losses.sum().item() / batch.tasks
            done += support.tasks
            right += (self.learner.answered(step.scores, query).predicted == query.labels).sum().item()
            rows += len(query.labels)
        self.gradients.put()
        baseline = self.algorithm.baseline_loss(batch.episodes) * share
        return Outcome(loss, baseline, right, rows, self.learner.cost(*read))

    def _meta_step(
        self, support: TaskBatch, query: TaskBatch, number: int
    ) -> tuple[MetaStep, TaskBatch, TaskBatch]:
        """The step on a chunk, and the chunk as it was placed for it."""
        self.learner.learning(number)
        try:
            support, query = self.learner.place(support), self.learner.place(query)
            return self.algorithm.meta_step(self.learner, support, query), support, query
        finally:
            self.learner.learning(None)

    @staticmethod
    def _check(step: MetaStep, first: int, tasks: int) -> None:
        """Raises where a task went to NaN or to infinity, in the inner loop or on the query set."""
        found = step.trace.first_not_finite()
        if found:
            number, task = found
            raise DivergedError(
                f"task {first + task + 1} of {tasks}, inner step {number + 1}: its support loss"
            )
        wrong = torch.nonzero(~torch.isfinite(step.losses)).flatten().tolist()
        if wrong:
            raise DivergedError(f"task {first + wrong[0] + 1} of {tasks}, after adaptation: its query loss")

    @property
    def _cut(self) -> tuple[int, int]:
        return self.chunks.tasks, self.learner.rows_at_once

    def _parameters(self) -> Iterable[torch.nn.Parameter]:
        yield from self.learner.parameters()
        yield from self.algorithm.parameters()


def _rows(episodes: Sequence[Episode]) -> int:
    return max(max(len(episode.learned_from), len(episode.query)) for episode in episodes)

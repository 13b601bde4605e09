"""The examples of T tasks as tensors: rows of all tasks in one flat batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Text = tuple[str, str | None]  # a text, and what stands beside it in a pair


@dataclass(frozen=True)
class Rows:
    """The examples of T tasks as a learner is given them, R rows of all tasks.

    Args:
        texts: of each row.
        labels: class number of each row within its task.
        task: task number of each row.
        ways: classes of each task.
        names: the class names of each task, in the order of their numbers.
        sources: where each task comes from.
    """

    texts: Sequence[Text]
    labels: Sequence[int]
    task: Sequence[int]
    ways: Sequence[int]
    names: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str | Text]) -> "Rows":
        """Texts without labels, as one task."""
        pairs = [(text, None) if isinstance(text, str) else text for text in texts]
        return cls(pairs, [0] * len(pairs), [0] * len(pairs), [1])

    def batch(self, inputs: Any) -> "TaskBatch":
        """The batch of these rows, with what the learner made of their texts."""
        labels, task = torch.tensor(self.labels), torch.tensor(self.task)
        return TaskBatch(inputs, labels, task, tuple(self.ways), self.names, self.sources)


@dataclass(frozen=True)
class TaskBatch:
    """The support (or query) sets of T tasks, R rows in all.

    Args:
        inputs: what the learner's `features` reads; known to that learner alone.
        labels: class number of each row within its task, (R,) int64.
        task: task number of each row, (R,) int64.
        ways: classes of each task, T numbers.
        names: the class names of each task, in the order of their numbers.
        sources: where each task comes from.
    """

    inputs: Any
    labels: Tensor
    task: Tensor
    ways: tuple[int, ...]
    names: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def tasks(self) -> int:
        """T, the number of tasks."""
        return len(self.ways)

    @cached_property
    def rows(self) -> Tensor:
        """Rows of each task, (T,)."""
        return torch.bincount(self.task, minlength=self.tasks)

    @cached_property
    def absent(self) -> Tensor:
        """True for class columns that a task does not have, (T, max way)."""
        ways = torch.tensor(self.ways, device=self.task.device)
        return torch.arange(max(self.ways), device=self.task.device) >= ways[:, None]

    def mean_by_task(self, values: Tensor) -> Tensor:
        """Mean over each task's own rows: (R,) -> (T,)."""
        return values.new_zeros(self.tasks).index_add(0, self.task, values) / self.rows


def task_losses(scores: Tensor, batch: TaskBatch) -> Tensor:
    """Each task's mean cross-entropy over its own rows.

    Args:
        scores: class scores, (R, max way).
        batch: the rows.

    Returns:
        (T,); their sum is the loss of an inner step, so that each task's gradient is its own.
    """
    return batch.mean_by_task(F.cross_entropy(scores, batch.labels, reduction="none"))

"""The examples of T tasks as tensors: rows of all tasks in one flat batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Text = tuple[str, str | None]  # a text, and what stands beside it in a pair


class Shown(NamedTuple):
    """An example that is read before a question.

    Args:
        text: a text, or a pair.
        answer: a class name, or what is to be written.
    """

    text: Text
    answer: str


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
        answers: what is to be written after each text, None where nobody knows; empty where classes are
            asked for. Of such rows the class 0 stands for this answer, the class 1 for any other.
        shown: examples that are read before each text; empty for none.
        channel: the text is judged after a class name, not the name after the text.
    """

    texts: Sequence[Text]
    labels: Sequence[int]
    task: Sequence[int]
    ways: Sequence[int]
    names: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()
    answers: Sequence[str | None] = ()
    shown: Sequence[tuple[Shown, ...]] = ()
    channel: bool = False

    @classmethod
    def of(cls, texts: Iterable[str | Text]) -> "Rows":
        """Texts without labels, as one task."""
        pairs = [(text, None) if isinstance(text, str) else text for text in texts]
        return cls(pairs, [0] * len(pairs), [0] * len(pairs), [1])

    def batch(self, inputs: Any) -> "TaskBatch":
        """The batch of these rows, with what the learner made of their texts."""
        labels, task = torch.tensor(self.labels), torch.tensor(self.task)
        return TaskBatch(inputs, labels, task, tuple(self.ways), self.names, self.sources, self)

    def before(self, row: int) -> tuple[Shown, ...]:
        """What is read before a row."""
        return self.shown[row] if self.shown else ()

    def answer(self, row: int) -> str:
        """What is right for a row: the text that is to be written, or its class name."""
        return (self.answers[row] or "") if self.answers else self.names[self.task[row]][self.labels[row]]


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
        given: the rows that it was made of, for methods that read texts.
    """

    inputs: Any
    labels: Tensor
    task: Tensor
    ways: tuple[int, ...]
    names: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()
    given: Rows | None = None

    @property
    def written(self) -> bool:
        """Whether answers are texts to be written, and no classes."""
        return self.given is not None and bool(self.given.answers)

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


class Answered(NamedTuple):
    """What R rows were answered, (R,) each.

    Args:
        predicted: number of the answered class.
        confidence: its probability.
        log_right: log probability of the right class, in nats.
    """

    predicted: Tensor
    confidence: Tensor
    log_right: Tensor


def task_losses(scores: Tensor, batch: TaskBatch) -> Tensor:
    """Each task's mean cross-entropy over its own rows.

    Args:
        scores: class scores, (R, max way).
        batch: the rows.

    Returns:
        (T,); their sum is the loss of an inner step, so that each task's gradient is its own.
    """
    return batch.mean_by_task(F.cross_entropy(scores, batch.labels, reduction="none"))

"""What a model answered to the queries of many tasks: all that the scores are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Answers:
    """The answers to the R queries of T tasks, at S moments of the inner loop.

    Args:
        task: number of each query's task, from 0 to T - 1, (R,).
        label: number of the right class within the task, (R,).
        ways: classes of each task, (T,).
        steps: inner steps that were taken at each moment, (S,); the last moment is the adapted model.
        predicted: number of the class that was answered, (S, R).
        confidence: its probability, (S, R); of a model that diverged it may be NaN.
        log_right: log probability of the right class, in nats, (S, R).
    """

    task: Integers
    label: Integers
    ways: Integers
    steps: Integers
    predicted: Integers
    confidence: Floats
    log_right: Floats

    @property
    def tasks(self) -> int:
        """T, the number of tasks."""
        return len(self.ways)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is right, (S, R)."""
        return np.asarray(self.predicted == self.label)

    def by_task(self) -> list["Answers"]:
        """The answers of each task on their own."""
        places = [np.flatnonzero(self.task == number) for number in range(self.tasks)]
        return [self._of(number, mine) for number, mine in enumerate(places)]

    def _of(self, number: int, mine: Integers) -> "Answers":
        return Answers(
            task=np.zeros(len(mine), dtype=np.int64),
            label=self.label[mine],
            ways=self.ways[number : number + 1],
            steps=self.steps,
            predicted=self.predicted[:, mine],
            confidence=self.confidence[:, mine],
            log_right=self.log_right[:, mine],
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, for a file."""
        return {field.name: np.ascontiguousarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Answers":
        """What `arrays` gave.

        Raises:
            ValueError: arrays that are missing or do not fit each other.
        """
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in arrays]:
            raise ValueError(f"no array {missing[0]!r}")
        found = cls(**{name: arrays[name] for name in names})
        rows, moments = len(found.task), len(found.steps)
        for name in names[4:]:
            if arrays[name].shape != (moments, rows):
                raise ValueError(f"{name} has the shape {arrays[name].shape}, not {(moments, rows)}")
        placed = not rows or 0 <= found.task.min() <= found.task.max() < found.tasks
        if len(found.label) != rows or not moments or not placed:
            raise ValueError("the rows do not fit the tasks")
        return found


def joined(parts: Sequence[Answers]) -> Answers:
    """The answers of several sets of tasks, one after another; all at the same moments.

    Raises:
        ValueError: none at all, or other moments in some.
    """
    if not parts or any(not np.array_equal(part.steps, parts[0].steps) for part in parts):
        raise ValueError("answers at different moments of the inner loop cannot stand together")
    firsts = np.cumsum([0, *(part.tasks for part in parts)])
    return Answers(
        task=np.concatenate([first + part.task for first, part in zip(firsts, parts, strict=False)]),
        label=np.concatenate([part.label for part in parts]),
        ways=np.concatenate([part.ways for part in parts]),
        steps=parts[0].steps,
        predicted=np.concatenate([part.predicted for part in parts], axis=1),
        confidence=np.concatenate([part.confidence for part in parts], axis=1),
        log_right=np.concatenate([part.log_right for part in parts], axis=1),
    )

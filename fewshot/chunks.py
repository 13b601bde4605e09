"""How many tasks are taken at once: what fits, and less where memory runs out."""

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from fewshot.errors import InputError
from fewshot.memory import free_memory, growth, is_out_of_memory
from fewshot.models.learner import Learner
from fewshot.tasks.episode import Episode

T = TypeVar("T")
SHARE = 0.7  # of the free memory, since texts differ in length


class Chunks:
    """The size of a chunk, which only ever gets smaller.

    Args:
        learner: whose rows are taken in parts where not even one task fits.
        tasks: tasks of a chunk.
        in_parts: whether the rows of one task may be taken in parts (not in second order).
        say: is told of every change.
    """

    def __init__(
        self, learner: Learner, tasks: int, in_parts: bool, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.tasks, self.say = tasks, say
        self._learner, self._in_parts = learner, in_parts

    def run(self, work: Callable[[], T], rows: int) -> T:
        """`work()`, again with a smaller chunk after every out-of-memory error.

        Args:
            work: reads `tasks` and batches its episodes anew each time.
            rows: of the largest set of one task.

        Raises:
            InputError: not even one row of a task fits, or one task where it cannot be cut.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = (str(error).splitlines() or [type(error).__name__])[0]
            # outside of the handler: while it runs, the traceback holds the tensors that were too many
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._halve(rows, reason)

    def each(self, work: Callable[[Sequence[Episode]], T], drawn: Sequence[Episode]) -> list[T]:
        """`work` on the episodes, a chunk after the other, with smaller chunks where memory runs out.

        Raises:
            InputError: as `run`.
        """

        def all_of_them() -> list[T]:
            size = self.tasks
            return [work(drawn[first : first + size]) for first in range(0, len(drawn), size)]

        return self.run(
            all_of_them, max(max(len(e.learned_from), len(e.query), len(e.outside)) for e in drawn)
        )

    def fit(self, work: Callable[[], T], rows: int, most: int) -> T:
        """Measures `work` with one task, and takes as many tasks as the free memory holds, up to `most`.

        Raises:
            InputError: as `run`.
        """
        self.tasks, results = 1, []
        taken = growth(self._learner.device, lambda: results.append(self.run(work, rows)))
        if taken is None:
            self.tasks = most
        else:
            self.tasks = max(1, min(most, int(SHARE * free_memory(self._learner.device) / max(taken, 1))))
        return results[0]

    def _halve(self, rows: int, reason: str) -> None:
        if self.tasks > 1:
            self.tasks = (self.tasks + 1) // 2
            self.say(f"out of memory: {_counted(self.tasks, 'task')} at once from here on")
            return
        now = min(self._learner.rows_at_once or rows, rows)
        if self._in_parts and now > 1 and self._learner.limit_rows((now + 1) // 2):
            now = self._learner.rows_at_once
            self.say(f"out of memory: {_counted(now, 'row')} of a task at once from here on")
            return
        raise InputError(
            f"not even one {'row' if self._in_parts else 'task'} fits into the memory",
            where=f"device {self._learner.device.type}",
            got=reason,
            needed="a device with more memory, or less to compute",
            fix="shorter texts (model.max_length), fewer adapted layers (model.lora.layers)"
            + (
                ""
                if self._in_parts
                else ", fewer shots and queries, or algorithm.order 1, which can cut a task"
            ),
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

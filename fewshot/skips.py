"""Outer steps that are not taken, since a loss is not finite."""

from collections.abc import Sequence
from typing import Any

from fewshot.errors import FewshotError

MOST = 5  # in a row


class Skips:
    """Counts the outer steps that were not taken; too many in a row end the training.

    Args:
        steps: of the whole training; if none at all can be taken, that is too many as well.
        meta_batch: episodes of a step.
    """

    def __init__(self, steps: int, meta_batch: int) -> None:
        self._most, self._meta_batch = min(MOST, steps), meta_batch
        self._in_a_row = self.total = 0

    def taken(self) -> None:
        """A step that was taken."""
        self._in_a_row = 0

    def counts(self) -> list[int]:
        """Those in a row, and all."""
        return [self._in_a_row, self.total]

    def restore(self, counts: Sequence[int]) -> None:
        """Takes what `counts` gave."""
        self._in_a_row, self.total = counts

    def skip(self, step: int, what: str) -> dict[str, Any]:
        """A step that was not; returns its line of the log.

        Args:
            step: its number, from 0.
            what: which loss is not finite.

        Raises:
            FewshotError: one too many in a row.
        """
        self._in_a_row += 1
        self.total += 1
        first = step * self._meta_batch
        if self._in_a_row == self._most:
            raise FewshotError(
                "the loss is not finite",
                where=f"outer step {step + 1}, episodes {first} to {first + self._meta_batch - 1}",
                got=f"{what}; {self._in_a_row} outer steps in a row could not be taken",
                fix="lower training.lr or algorithm.inner_lr",
            )
        return {"step": step + 1, "skipped": what}

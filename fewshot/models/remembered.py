"""A learner whose texts are computed once, for methods that adapt no body."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from fewshot.models.batch import Rows, TaskBatch, Text
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack

AT_ONCE = 256  # texts


class Remembered(Learner):
    """Features of another learner, each text's computed once and kept as long as this lives.

    Right where all tasks have the same body (`Algorithm.shares_body`), features are of the texts alone
    (`Learner.has_space`), and the meta-parameters stay as they are: then a text that stands in many episodes
    has the same feature in all of them.

    Args:
        learner: whose features they are.
    """

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self._learner, self.head = learner, learner.head
        self._known: dict[bool, dict[Text, Tensor]] = {True: {}, False: {}}

    def batch(self, rows: Rows) -> TaskBatch:
        """The rows with their texts; nothing is tokenised yet."""
        return rows.batch(tuple(rows.texts))

    def place(self, batch: TaskBatch) -> TaskBatch:
        """Labels and task numbers on the device."""
        return replace(batch, labels=batch.labels.to(self.device), task=batch.task.to(self.device))

    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """Of each row, (R, H), without a graph: under the meta-parameters where the stack has an adapter."""
        adapted = any(name in stack for name in self._learner.adapter())
        known = self._known[adapted]
        missing = [text for text in dict.fromkeys(batch.inputs) if text not in known]
        with torch.no_grad():
            for at in range(0, len(missing), AT_ONCE):
                texts = missing[at : at + AT_ONCE]
                known.update(zip(texts, self._compute(texts, adapted), strict=True))
        return torch.stack([known[text] for text in batch.inputs])

    def _compute(self, texts: Sequence[Text], adapted: bool) -> Tensor:
        batch = self._learner.place(self._learner.batch(Rows.of(texts)))
        return self._learner.features(self._learner.start_body(1) if adapted else Stack({}), batch)

    def losses(self, scores: Tensor, batch: TaskBatch) -> Tensor:
        """What the learner calls the loss."""
        return self._learner.losses(scores, batch)

    def limit_rows(self, rows: int) -> bool:
        """Of the learner."""
        return self._learner.limit_rows(rows)

    def adapter(self) -> Mapping[str, nn.Parameter]:
        """Of the learner."""
        return self._learner.adapter()

    def save_adapter(self, folder: Path) -> None:
        """Of the learner."""
        self._learner.save_adapter(folder)

    def load_adapter(self, folder: Path) -> None:
        """Of the learner."""
        self._learner.load_adapter(folder)

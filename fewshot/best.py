"""Validations, and the one that is kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from fewshot.checkpoint import snapshot
from fewshot.evaluation import TaskResult
from fewshot.score import Score, score

SAME = 9  # digits: sums of the same right answers in another order differ in the last ones


@dataclass(frozen=True)
class Validated:
    """The validation episodes under the meta-parameters after so many outer steps."""

    step: int
    results: Sequence[TaskResult]

    @property
    def accuracy(self) -> float:
        """Mean over the tasks."""
        return sum(result.after.accuracy for result in self.results) / len(self.results)

    @property
    def loss(self) -> float:
        """Mean over the tasks."""
        return sum(result.loss for result in self.results) / len(self.results)

    def score(self, baseline: float | None) -> Score:
        """S; see `fewshot.score`."""
        priors = [result.episode.prior_loss for result in self.results]
        return score([result.loss for result in self.results], priors, baseline)

    def line(self, baseline: float | None) -> dict[str, float]:
        """Its figures in `log.jsonl` and `summary.json`."""
        figures = {"valid_accuracy": self.accuracy, "valid_loss": self.loss}
        if baseline is None and not any(result.episode.prior_loss for result in self.results):
            return figures  # queries of one class: there is no score
        return figures | {"valid_score": self.score(baseline).mean}


@dataclass
class Best:
    """The best validation so far, and the meta-parameters that reached it.

    Args:
        values: the meta-parameters.
        accuracy: over the validation episodes.
        loss: likewise.
        step: after which it was; 0 before the first.
        worse: validations since then.
    """

    values: dict[str, Tensor]
    accuracy: float = -1.0
    loss: float = math.inf
    step: int = 0
    worse: int = 0

    def take(self, parameters: dict[str, nn.Parameter], step: int, accuracy: float, loss: float) -> bool:
        """Takes a validation if it is better; among equal accuracies the loss decides."""
        accuracy = round(accuracy, SAME)
        better = (accuracy, -loss) > (self.accuracy, -self.loss)
        self.worse = 0 if better else self.worse + 1
        if better:
            self.values, self.step, self.accuracy, self.loss = snapshot(parameters), step, accuracy, loss
        return better

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The meta-parameters, and which validation they are of."""
        loss = self.loss if math.isfinite(self.loss) else None  # JSON has no infinity
        return self.values, {"accuracy": self.accuracy, "loss": loss, "step": self.step, "worse": self.worse}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Takes what `state` gave."""
        self.values, self.accuracy = dict(tensors), facts["accuracy"]
        self.loss = math.inf if facts["loss"] is None else facts["loss"]
        self.step, self.worse = facts["step"], facts["worse"]

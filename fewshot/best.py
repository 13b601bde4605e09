"""The validation that is kept."""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from fewshot.checkpoint import snapshot

SAME = 9  # digits: sums of the same right answers in another order differ in the last ones


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

"""The score of a model on a task family: its loss in units of the loss of guessing.

    S(M, D) = (1/N) sum_i L(M(x_i), y_i) / L*

M is the learner with its algorithm, D the episodes, L the query loss of a task after adaptation, L* the
baseline loss: that of the class prior, ln N for N balanced classes, or a number of the user's. Lower is
better, 1 is chance. The objective J(theta) of a training is the same ratio for its own loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fewshot.errors import InputError
from fewshot.metrics.intervals import mean_interval


@dataclass(frozen=True)
class Score:
    """S over the tasks of an evaluation.

    Args:
        mean: S.
        std: of the tasks' shares in it (n - 1).
        low: where its 95% interval over tasks begins.
        high: where that ends.
        baseline_loss: L*, in nats.
    """

    mean: float
    std: float
    low: float
    high: float
    baseline_loss: float

    def plain(self) -> dict[str, Any]:
        """As `summary.json` has it."""
        spread = {"std": self.std, "ci95": [self.low, self.high]}
        return {"mean": self.mean} | spread | {"baseline_loss": self.baseline_loss}


def score(losses: Sequence[float], priors: Sequence[float], baseline: float | None = None) -> Score:
    """S of tasks.

    Args:
        losses: each task's mean query loss after adaptation, in nats.
        priors: each task's loss of guessing by the class prior; their mean is L*.
        baseline: L* where it is not the prior's.

    Raises:
        InputError: L* is not above 0: nothing can be measured in units of it.
    """
    unit = float(np.mean(priors)) if baseline is None else baseline
    check_baseline(unit, "the class prior of these episodes" if baseline is None else "baseline_loss")
    return Score(*mean_interval([loss / unit for loss in losses]), unit)


def check_baseline(value: float, where: str) -> None:
    """Refuses a baseline loss that nothing can be divided by.

    Raises:
        InputError: 0, below 0, infinite or NaN.
    """
    if not 0 < value < float("inf"):
        raise InputError(
            "the baseline loss L* cannot be divided by",
            where=where,
            got=value,
            needed="a loss above 0, in nats: ln N is that of guessing among N balanced classes",
            fix="take episodes with queries of at least two classes, or set validation.baseline_loss",
        )

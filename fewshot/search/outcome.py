"""What a trial found: its validation, task by task, and what it cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy import stats

from fewshot.best import Validated
from fewshot.metrics.intervals import mean_interval
from fewshot.metrics.scores import SCORES
from fewshot.score import Score, score


@dataclass(frozen=True)
class Outcome:
    """The validation that a trial kept, and its cost.

    Args:
        step: the outer step after which it was.
        tasks: by metric its value for each validation task; 'loss' is the query loss in nats.
        priors: the loss of guessing by the class prior, for each task.
        baseline: L* where it is a number of the user's.
        episodes: names the validation episodes: trials with the same name had the same.
        seconds: of training and validation.
        seconds_per_task: of adapting to a task and predicting.
        bytes: of what meta-training learned, or of what a baseline learns for a task.
        objective: J(theta) by stage of the training.
        config: the text of `config.yaml`, which repeats the trial.
    """

    step: int
    tasks: Mapping[str, Sequence[float]]
    priors: Sequence[float]
    baseline: float | None
    episodes: str
    seconds: float
    seconds_per_task: float
    bytes: int
    objective: Mapping[str, float]
    config: str

    @staticmethod
    def tasks_of(kept: Validated) -> dict[str, list[float]]:
        """The values of every task by metric."""
        scores = {name: [getattr(result.after, name) for result in kept.results] for name in SCORES}
        return scores | {"loss": [result.loss for result in kept.results]}

    @property
    def score(self) -> Score:
        """S over the validation tasks."""
        return score(self.tasks["loss"], self.priors, self.baseline)

    def interval(self, metric: str) -> tuple[float, float, float]:
        """Mean, low and high end of the 95% interval of a metric of `settings.METRICS`."""
        if metric == "score":
            found = self.score
            return found.mean, found.low, found.high
        mean, _, low, high = mean_interval(self.tasks[metric])
        return mean, low, high

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def tied(one: Outcome, other: Outcome) -> bool:
    """Whether the 95% interval of the difference of two scores contains 0.

    Task by task where both had the same episodes, else by Welch's interval for independent samples.
    """
    ours, theirs = ([loss / each.score.baseline_loss for loss in each.tasks["loss"]] for each in (one, other))
    if one.episodes == other.episodes:
        _, _, low, high = mean_interval([a - b for a, b in zip(ours, theirs, strict=True)])
    else:
        spread = [std**2 / len(own) for own, std in ((ours, one.score.std), (theirs, other.score.std))]
        if sum(spread) == 0 or min(len(ours), len(theirs)) < 2:
            return one.score.mean == other.score.mean
        freedom = sum(spread) ** 2 / sum(
            v**2 / (len(own) - 1) for v, own in zip(spread, (ours, theirs), strict=True)
        )
        half = float(stats.t.ppf(0.975, freedom)) * math.sqrt(sum(spread))
        difference = one.score.mean - other.score.mean
        low, high = difference - half, difference + half
    return low <= 0 <= high


def pareto(outcomes: Mapping[int, Outcome]) -> set[int]:
    """Trials that no other one beats in score, seconds a task and bytes at once (equal in all: both stay)."""
    costs = {n: (each.score.mean, each.seconds_per_task, each.bytes) for n, each in outcomes.items()}
    return {
        number
        for number, own in costs.items()
        if not any(
            all(a <= b for a, b in zip(other, own, strict=True)) and other != own for other in costs.values()
        )
    }

"""Settings of a search: how it goes on, and when it ends."""

import re
from dataclasses import dataclass
from typing import Literal

from fewshot.errors import InputError, suggestion

TRIALS = 16  # where nothing else ends the search
METRICS = {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1, "score": -1, "loss": -1}  # 1: more is better
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Search:
    """How settings are searched.

    Args:
        trials: how many settings are tried, the default ones first; without it 16, or all of a grid, or as
            many as target and budget allow.
        sampler: 'random' search, 'tpe', 'cmaes' (numbers alone), or 'grid': every combination of choices.
        pruner: ends trials that fall behind: 'median' below the median of the others at the same step,
            'halving' outside of the best third at steps that grow by 3; 'none'.
        target: METRIC=VALUE; the search ends once the 95% interval of a trial lies on the good side of it.
        budget: time such as 90s, 30m or 2h, the final training included.
        seeds: trainings of the best settings and of the default ones at the end, each tested.
        workers: processes on this machine, each with its share of the CPU's cores.
        seed: which settings are drawn.
    """

    trials: int | None = None
    sampler: Literal["random", "tpe", "cmaes", "grid"] = "random"
    pruner: Literal["median", "halving", "none"] = "median"
    target: str | None = None
    budget: str | None = None
    seeds: int = 3
    workers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {"trials": 1, "seeds": 1, "workers": 1, "seed": 0}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"--{name} is too small", got=value, needed=f"{least} or more")
        self.goal(), self.budget_seconds()

    def most_trials(self) -> int | None:
        """The number of trials; None where target or budget end the search."""
        endless = self.target is not None or self.budget is not None
        return self.trials or (None if endless else TRIALS)

    def final_rounds(self) -> int:
        """Rounds in which the workers train the best and the default settings with every seed."""
        return -(-2 * self.seeds // self.workers)

    def goal(self) -> "Target | None":
        """The target, read."""
        return None if self.target is None else Target.read(self.target)

    def budget_seconds(self) -> float | None:
        """The budget, read.

        Raises:
            InputError: no time.
        """
        if self.budget is None:
            return None
        parts = re.fullmatch(r"(?:\d+(?:\.\d+)?[smhd])+", self.budget.strip())
        found = re.findall(r"(\d+(?:\.\d+)?)([smhd])", self.budget) if parts else []
        seconds = sum(float(number) * UNITS[unit] for number, unit in found)
        if not seconds > 0:
            raise InputError(
                "the budget is no time",
                where="--budget",
                got=repr(self.budget),
                needed="90s, 30m, 2h or 1h30m",
            )
        return seconds


@dataclass(frozen=True)
class Target:
    """What is good enough.

    Args:
        metric: one of `METRICS`.
        value: what its 95% interval has to reach.
    """

    metric: str
    value: float

    @staticmethod
    def read(text: str) -> "Target":
        """From METRIC=VALUE.

        Raises:
            InputError: an unknown metric, no number, or one that the metric does not have.
        """
        metric, _, number = (part.strip() for part in text.partition("="))
        if metric not in METRICS:
            known = suggestion(metric, METRICS)
            raise InputError(f"unknown metric {metric!r}", where="--target", got=repr(text), fix=known)
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        least, most = (0.0, 1.0) if METRICS[metric] > 0 else (0.0, float("inf"))
        if not (least <= value <= most and value < float("inf")):
            span = "from 0 to 1" if METRICS[metric] > 0 else "from 0"
            raise InputError(
                "the target is no value of its metric",
                where="--target",
                got=repr(text),
                needed=f"{metric}=VALUE with a number {span}",
            )
        return Target(metric, value)

    def holds(self, low: float, high: float) -> bool:
        """Whether an interval lies on the good side."""
        return low >= self.value if METRICS[self.metric] > 0 else high <= self.value

    def __str__(self) -> str:
        return f"{self.metric} {'at least' if METRICS[self.metric] > 0 else 'at most'} {self.value:g}"

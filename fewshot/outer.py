"""Settings of the outer loop: how long, how fast, and which meta-parameters are kept."""

import math
from dataclasses import dataclass
from typing import Literal

from fewshot.errors import InputError, require_at_least
from fewshot.score import check_baseline


@dataclass(frozen=True)
class Training:
    """The outer loop.

    Args:
        steps: outer steps.
        meta_batch: episodes in one outer step.
        lr: rate of AdamW on the meta-parameters, at its highest.
        schedule: how the rate falls after the warm-up: 'cosine' or 'linear' to 0, or 'constant'.
        warmup: share of the steps in which the rate rises from 0.
        weight_decay: of AdamW, on the adapter alone.
        clip: the largest norm of the meta-gradient.
        average: what is validated and kept is an exponential average of the meta-parameters, of which so much
            is left in a step, such as 0.98; 0 takes them as they are.
        tasks_at_once: episodes of a meta-batch that are adapted together; 'auto' takes as many as fit, by
            measurement. Changes speed and memory, results by rounding only.
        seed: which training and validation episodes are drawn.
        multitask_steps: outer steps of multi-task training beforehand, on all meta-training classes at once;
            meta-training starts from its adapter.
        multitask_lr: rate of those steps at its highest; 0 takes `lr`.
        save: outer steps between two saved states, from which a run that was stopped goes on; 0 saves at the
            begin, at the end, and when it is stopped.
        keep: how many of the latest states are kept.
    """

    steps: int = 60
    meta_batch: int = 4
    lr: float = 3e-3
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.0
    tasks_at_once: int | Literal["auto"] = "auto"
    seed: int = 0
    multitask_steps: int = 0
    multitask_lr: float = 0.0
    save: int = 20
    keep: int = 2

    def __post_init__(self) -> None:
        if self.tasks_at_once != "auto":
            require_at_least("training", self, tasks_at_once=1)
        require_at_least("training", self, steps=0, meta_batch=1, lr=0, warmup=0, weight_decay=0, seed=0)
        require_at_least("training", self, multitask_steps=0, multitask_lr=0, save=0, keep=1)
        require_at_least("training", self, clip=1e-6)  # 0 would stop every step
        if not 0 <= self.average < 1:
            raise InputError(
                "this is no decay of an average",
                where="training.average",
                got=self.average,
                needed="a number from 0 to below 1",
            )
        if self.warmup > 1:
            raise InputError(
                "training.warmup is too large", got=self.warmup, needed="a share of the steps, 0 to 1"
            )

    def factor(self, step: int) -> float:
        """The rate of a step (from 0) as a share of `lr`."""
        rise = self.warmup * self.steps
        if step + 1 < rise:
            return (step + 1) / rise
        done = (step - rise) / max(1.0, self.steps - rise)
        falling = {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}
        return min(1.0, falling[self.schedule])


@dataclass(frozen=True)
class Validation:
    """Which meta-parameters are kept: those with the best accuracy on validation episodes.

    Of equal accuracies the one with the lowest loss is the best.

    Args:
        every: outer steps between two validations, the last step is validated too; 0 for none, then
            the last meta-parameters are kept.
        episodes: how many; always the same ones.
        patience: training stops after this many validations without a better one; 0 never stops, and neither
            does a loss that goes on falling where all is right.
        baseline_loss: L*, the loss in nats that a score of 1 stands for; by default that of the class prior,
            ln N for N balanced classes.
    """

    every: int = 30
    episodes: int = 24
    patience: int = 5
    baseline_loss: float | None = None

    def __post_init__(self) -> None:
        require_at_least("validation", self, every=0, episodes=1, patience=0)
        if self.baseline_loss is not None:
            check_baseline(self.baseline_loss, "validation.baseline_loss")

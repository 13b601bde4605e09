"""MAML++: what makes MAML easier to train.

Antoniou, Edwards, Storkey: How to train your MAML, ICLR 2019, https://arxiv.org/abs/1810.09502.

    theta_{k+1} = theta_k - alpha_k * grad L_support(theta_k),    alpha_k learned for each tensor and step
    meta-loss = sum over k of v_k L_query(theta_k),    v going from 1/K each to the last step alone

and the first order until a share of the training is done (derivative-order annealing). alpha is
`log_rates` of shape (K,) by tensor, v is `weights`. What the paper says of batch normalisation has no
counterpart here; its cosine outer rate is the default of `training.schedule`.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from fewshot.algorithms.algorithm import LearnedRate, MetaStep
from fewshot.algorithms.inner import Trace
from fewshot.algorithms.maml import MAML, key
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner

LEAST = 0.03  # of 1/K: the weight that an early step keeps, as in the authors' code


class MAMLPlusPlus(MAML):
    """MAML with rates by tensor and step, a loss at every step, and the second order later.

    Args:
        order: of the later part of the training.
        inner_steps: gradient steps on the support set; rates of later steps than were trained are those
            of the last.
        inner_lr: where all rates start.
        first_order_until: share of the training that is done in first order.
        every_loss_until: share of the training in which the losses of early steps fade out.
        inner_optimiser: 'sgd' or 'adam'.
        anchor: weight of the penalty towards the initialisation.

    Raises:
        InputError: as MAML; shares outside of 0 to 1.
    """

    def __init__(
        self,
        order: int = 2,
        inner_steps: int = 3,
        inner_lr: float = 0.2,
        first_order_until: float = 0.5,
        every_loss_until: float = 0.3,
        inner_optimiser: Literal["sgd", "adam"] = "sgd",
        anchor: float = 0.0,
    ) -> None:
        super().__init__(order, inner_steps, inner_lr, True, inner_optimiser, anchor)
        shares = {"first_order_until": first_order_until, "every_loss_until": every_loss_until}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise InputError(
                    "this is no share of the training", where=f"algorithm.{name}", got=share, needed="0 to 1"
                )
        self.first_order_until, self.every_loss_until = first_order_until, every_loss_until
        self._done = 0.0

    def prepare(self, learner: Learner) -> str:
        """Makes a rate for each tensor and step."""
        said = super().prepare(learner)
        for name, rate in list(self.log_rates.items()):
            self.log_rates[name] = nn.Parameter(rate.detach().repeat(max(1, self.inner_steps)))
        return said

    def at(self, done: float) -> None:
        """Keeps where the training stands."""
        self._done = done

    @property
    def weights(self) -> list[float]:
        """v: the weight of the query loss after each of the K steps."""
        steps = max(1, self.inner_steps)
        fades = 1.0 if not self.every_loss_until else min(1.0, self._done / self.every_loss_until)
        early = max(1 - fades, LEAST if fades < 1 else 0.0) / steps
        return [early] * (steps - 1) + [1 - early * (steps - 1)]

    def learned_rates(self) -> list[LearnedRate]:
        """A rate for each tensor and step."""
        return [
            LearnedRate(each.tensor, step, rate)
            for each in super().learned_rates()
            for step, rate in enumerate(each.values)
        ]

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """The weighted query losses along the way; losses and scores are those of the last step."""
        trace = Trace()
        start = self.start(learner, support)
        first_order = self.order == 1 or self._done < self.first_order_until
        stacks = list(self.path(learner, start, support, first_order, trace))
        weighted = zip(self.weights, stacks[1:] or stacks, strict=True)
        surrogate = torch.zeros(query.tasks, device=learner.device)
        for weight, stack in weighted:
            if weight:
                scores = learner.logits(stack, query)
                losses = learner.losses(scores, query)
                surrogate = surrogate + weight * losses
        return MetaStep(losses.detach(), scores.detach(), surrogate, trace)

    def _rates(self, names: Sequence[str], number: int) -> list[Tensor]:
        rates = [self.log_rates[key(name)] for name in names]
        return [rate[min(number, len(rate) - 1)].exp() for rate in rates]

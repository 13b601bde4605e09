"""Meta-SGD: a learned rate, with its sign, for every number that is adapted.

Li, Zhou, Chen, Li: Meta-SGD: Learning to Learn Quickly for Few-Shot Learning, 2017,
https://arxiv.org/abs/1707.09835.

    theta_{k+1} = theta_k - alpha * grad L_support(theta_k),    alpha of the shape of theta, learned with it

The update is learn2learn's `MetaSGD`. The rates of the head are one for each feature and one for the
bias, the same for all classes: a class has no number of its own.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from fewshot.algorithms.algorithm import LearnedRate
from fewshot.algorithms.maml import MAML, key, tensor
from fewshot.models.learner import Learner


class MetaSGD(MAML):
    """MAML with a learned rate for every adapted number.

    Args:
        order: as for MAML, and so below.
        inner_steps: gradient steps on the support set.
        inner_lr: where all rates start.
        inner_optimiser: 'sgd' or 'adam'.
        anchor: weight of the penalty towards the initialisation.
    """

    lr_factor = 1.0  # the rates themselves, not their logarithms

    def __init__(
        self,
        order: int = 1,
        inner_steps: int = 3,
        inner_lr: float = 0.2,
        inner_optimiser: Literal["sgd", "adam"] = "sgd",
        anchor: float = 0.0,
    ) -> None:
        super().__init__(order, inner_steps, inner_lr, False, inner_optimiser, anchor)
        self.rates = nn.ParameterDict()

    def prepare(self, learner: Learner) -> str:
        """Makes the rates."""
        shapes = {name: value.shape for name, value in learner.adapter().items()} | learner.head.shapes
        for name in self.moved(learner):
            rate = torch.full(shapes[name], self.inner_lr, device=learner.device)
            self.rates[key(name)] = nn.Parameter(rate)
        return super().prepare(learner)

    def learned_rates(self) -> list[LearnedRate]:
        """A rate for each number of each tensor."""
        return [LearnedRate(tensor(name), None, rate.detach()) for name, rate in self.rates.items()]

    def _rates(self, names: Sequence[str], number: int) -> list[Tensor]:
        return [self.rates[key(name)] for name in names]

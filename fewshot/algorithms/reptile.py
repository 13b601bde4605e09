"""Reptile: towards what the inner loop found.

Nichol, Achiam, Schulman: On First-Order Meta-Learning Algorithms, 2018, https://arxiv.org/abs/1803.02999.

    theta <- theta + epsilon * mean over tasks of (theta_K - theta)

theta_K is the stack after K inner steps. As the authors do with Adam, theta - theta_K takes the place of
the gradient; the outer rate is epsilon. The query set is not learned from: its loss is for the log.
"""

from typing import Literal

import torch
from torch import Tensor

from fewshot.algorithms.algorithm import MetaStep
from fewshot.algorithms.inner import Trace
from fewshot.algorithms.maml import MAML
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class Reptile(MAML):
    """Reptile, in batches of tasks.

    Args:
        inner_steps: gradient steps on the support set.
        inner_lr: size of an inner step; nothing in Reptile can learn it.
        inner_optimiser: 'sgd' or 'adam'.
        anchor: weight of a penalty towards the initialisation.
    """

    def __init__(
        self,
        inner_steps: int = 3,
        inner_lr: float = 0.2,
        inner_optimiser: Literal["sgd", "adam"] = "sgd",
        anchor: float = 0.0,
    ) -> None:
        super().__init__(1, inner_steps, inner_lr, False, inner_optimiser, anchor)

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """Its gradient is the way back from the adapted stack to the start."""
        trace = Trace()
        start = self.start(learner, support)
        *_, last = self.path(learner, start.detached(), support, True, trace)
        with torch.no_grad():
            scores = learner.logits(last, query)
        way_back = {name: tensor.detach() - last[name].detach() for name, tensor in start.items()}
        return MetaStep(learner.losses(scores, query), scores, along(start, way_back), trace)


def along(start: Stack, directions: dict[str, Tensor]) -> Tensor:
    """A scalar a task whose gradient in the stack is `directions`, (T,)."""
    products = [(start[name] * value.detach()).flatten(1).sum(1) for name, value in directions.items()]
    return torch.stack(products).sum(0)

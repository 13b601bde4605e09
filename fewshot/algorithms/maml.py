"""Model-agnostic meta-learning.

Finn, Abbeel, Levine: Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks, ICML 2017,
https://arxiv.org/abs/1703.03400. Learned rates, one for each tensor: Antoniou, Edwards, Storkey:
How to train your MAML, ICLR 2019 (theirs differ by step too).

    theta_0 = theta,    theta_{k+1} = theta_k - alpha * grad L_support(theta_k),
    meta-loss = mean over tasks of L_query(theta_K)

theta is the stack (adapters and head of all T tasks), alpha is `inner_lr`, K is `inner_steps`.
Order 2 differentiates through the inner gradients, order 1 takes them as constants. In order 2 each
inner step is taken again in the backward pass (flat.py), so memory does not grow with K.
"""

import math
from functools import partial

import torch
from torch import nn

from fewshot.algorithms import learn2learn
from fewshot.algorithms.algorithm import Adapted, Algorithm, MetaStep, Predictor
from fewshot.algorithms.flat import flat_step
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch, task_losses
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class MAML(Algorithm):
    """MAML with its inner loop by learn2learn, for T tasks at once.

    Args:
        order: 1 or 2: whether the meta-gradient goes through the inner gradients.
        inner_steps: gradient steps on the support set.
        inner_lr: size of an inner step; where it is learned, where it starts.
        learn_inner_lr: make the step size of every adapted tensor a meta-parameter.

    Raises:
        InputError: an order that is neither, a negative count, a rate that is not positive.
    """

    trainable = True
    lr_factor = 10.0  # logarithms of rates move by tenths where weights move by hundredths

    def __init__(
        self, order: int = 1, inner_steps: int = 5, inner_lr: float = 0.1, learn_inner_lr: bool = True
    ) -> None:
        super().__init__()
        if order not in (1, 2):
            raise InputError("unknown order", where="algorithm.order", got=order, needed="1 or 2")
        if inner_steps < 0:
            raise InputError(
                "negative number of steps", where="algorithm.inner_steps", got=inner_steps, needed="0 or more"
            )
        if not inner_lr > 0:
            raise InputError(
                "the inner rate is not positive", where="algorithm.inner_lr", got=inner_lr, needed="above 0"
            )
        self.takes_parts = order == 1
        self.order, self.inner_steps, self.inner_lr = order, inner_steps, inner_lr
        self.learn_inner_lr = learn_inner_lr
        self.log_rates = nn.ParameterDict()

    def prepare(self, learner: Learner) -> str:
        """Makes one rate for each tensor of the stack, and sees to the second derivative."""
        learn2learn.load()  # if it is missing, this is the time to say so
        if self.learn_inner_lr:
            start = torch.tensor(math.log(self.inner_lr), device=learner.device)
            names = [*learner.adapter(), *learner.head.names]
            self.log_rates.update({_key(name): nn.Parameter(start.clone()) for name in names})
        return learner.require_double_backward() if self.order == 2 else ""

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """Takes the inner steps on all T support sets together."""
        with torch.no_grad():
            start = learner.start(support)
        leaves = Stack({name: tensor.requires_grad_() for name, tensor in start.items()})
        return Adapted(learner, self._steps(learner, leaves, support, first_order=True).detached())

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """Query losses and scores of each task under its adapted slice of the stack."""
        adapted = self._steps(learner, learner.start(support), support, first_order=self.order == 1)
        scores = learner.logits(adapted, query)
        return MetaStep(task_losses(scores, query), scores.detach())

    def _steps(self, learner: Learner, stack: Stack, support: TaskBatch, first_order: bool) -> Stack:
        """K inner steps. The losses of the tasks are summed, so each gradient is its own task's alone."""
        step = partial(self._step, learner, support)
        beside = [*learner.head.parameters(), *self.parameters()]
        for _ in range(self.inner_steps):
            stack = step(stack, True) if first_order else flat_step(step, stack, beside)
        return stack

    def _step(self, learner: Learner, support: TaskBatch, stack: Stack, first_order: bool) -> Stack:
        inner = self._inner(stack, first_order)
        inner.adapt(task_losses(learner.logits(inner.module, support), support).sum())
        adapted: Stack = inner.module
        return adapted

    def _inner(self, stack: Stack, first_order: bool):  # type: ignore[no-untyped-def]
        algorithms = learn2learn.load()
        if not self.log_rates:
            return algorithms.MAML(stack, lr=self.inner_lr, first_order=first_order)
        rates = [self.log_rates[_key(name)].exp() for name, _ in stack.items()]
        return algorithms.MetaSGD(stack, lrs=rates, first_order=first_order)


def _key(name: str) -> str:
    return name.replace(".", "/")  # a ParameterDict takes no dots

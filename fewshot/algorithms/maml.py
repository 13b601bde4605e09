"""Model-agnostic meta-learning, and what its relatives in the files beside it share.

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
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fewshot.algorithms import learn2learn
from fewshot.algorithms.algorithm import Adapted, Algorithm, LearnedRate, MetaStep, Predictor
from fewshot.algorithms.flat import flat_step
from fewshot.algorithms.inner import SupportLoss, Trace, adam, moments
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class MAML(Algorithm):
    """MAML with its inner loop by learn2learn, for T tasks at once.

    Args:
        order: 1 or 2: whether the meta-gradient goes through the inner gradients.
        inner_steps: gradient steps on the support set.
        inner_lr: size of an inner step; where it is learned, where it starts.
        learn_inner_lr: make the step size of every adapted tensor a meta-parameter.
        inner_optimiser: 'sgd', or 'adam', whose moments begin at zero in every task.
        anchor: lambda of a penalty `lambda / 2 * |theta - theta_0|^2` that holds the inner loop near the
            initialisation; 0 for none.

    Raises:
        InputError: an order that is neither, a negative count, a rate that is not positive.
    """

    trainable = True
    lr_factor = 10.0  # logarithms of rates move by tenths where weights move by hundredths

    def __init__(
        self,
        order: int = 1,
        inner_steps: int = 3,
        inner_lr: float = 0.2,
        learn_inner_lr: bool = True,
        inner_optimiser: Literal["sgd", "adam"] = "sgd",
        anchor: float = 0.0,
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
        if inner_optimiser not in ("sgd", "adam"):
            raise InputError(
                "unknown optimiser",
                where="algorithm.inner_optimiser",
                got=inner_optimiser,
                needed="'sgd' or 'adam'",
            )
        if not anchor >= 0:
            raise InputError(
                "the penalty is negative", where="algorithm.anchor", got=anchor, needed="0 or more"
            )
        self.takes_parts = order == 1
        self.order, self.inner_steps, self.inner_lr = order, inner_steps, inner_lr
        self.learn_inner_lr, self.inner_optimiser, self.anchor = learn_inner_lr, inner_optimiser, anchor
        self.log_rates = nn.ParameterDict()

    def prepare(self, learner: Learner) -> str:
        """Makes one rate for each tensor that moves, and sees to the second derivative.

        Raises:
            InputError: nothing that moves.
        """
        learn2learn.load()  # if it is missing, this is the time to say so
        if not self.moved(learner):
            raise InputError(
                f"{type(self).__name__} would adapt nothing of this model",
                where="algorithm",
                got=f"{type(learner).__name__}, whose head has nothing that is adapted",
                needed="an algorithm that adapts the adapter too, such as MAML",
            )
        if self.learn_inner_lr:
            start = torch.tensor(math.log(self.inner_lr), device=learner.device)
            self.log_rates.update({key(n): nn.Parameter(start.clone()) for n in self.moved(learner)})
        return learner.require_double_backward() if self.order == 2 else ""

    def moved(self, learner: Learner) -> list[str]:
        """Names of the tensors that the inner loop changes: all of them."""
        return [*learner.adapter(), *learner.head.names]

    def start(self, learner: Learner, support: TaskBatch) -> Stack:
        """Where the inner loop begins."""
        return learner.start(support)

    def before(self, learner: Learner, support: TaskBatch) -> Predictor:
        """The initial head on the meta-learned features."""
        with torch.no_grad():
            return Adapted(learner, self.start(learner, support))

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """Takes the inner steps on all T support sets together."""
        with torch.no_grad():
            start = self.start(learner, support)
        *_, last = self.path(learner, start, support, first_order=True)
        return Adapted(learner, last.detached())

    def course(self, learner: Learner, support: TaskBatch) -> Iterator[Predictor]:
        """A predictor before the first inner step and after each."""
        if not self.adapts:
            yield self.adapt(learner, support)
            return
        with torch.no_grad():
            start = self.start(learner, support)
        for stack in self.path(learner, start, support, first_order=True):
            yield Adapted(learner, stack.detached())

    def learned_rates(self) -> list[LearnedRate]:
        """A rate for each tensor that moves, where they are learned."""
        return [LearnedRate(tensor(name), None, rate.detach().exp()) for name, rate in self.log_rates.items()]

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """Query losses and scores of each task under its adapted slice of the stack."""
        trace = Trace()
        start = self.start(learner, support)
        *_, last = self.path(learner, start, support, self.order == 1, trace)
        scores = learner.logits(last, query)
        return MetaStep(learner.losses(scores, query), scores.detach(), trace=trace)

    def path(
        self,
        learner: Learner,
        start: Stack,
        support: TaskBatch,
        first_order: bool,
        trace: Trace | None = None,
    ) -> Iterator[Stack]:
        """The whole stack before the first of the K inner steps and after each.

        The losses of the tasks are summed, so each gradient is its own task's alone.
        """
        loss = SupportLoss(learner, support, start, self.moved(learner), self.anchor, first_order)
        state = self._begin(start.part(loss.moved))
        yield self._end(start, state)
        for number in range(self.inner_steps):
            step = partial(self._step, loss, trace or Trace(), number)
            if first_order:
                state = step(state, True)
            else:
                state = flat_step(step, state, [*loss.depends_on, *self.parameters()])
            yield self._end(start, state)

    def _begin(self, moved: Stack) -> Stack:
        """What an inner step takes and gives: the moved tensors, and the optimiser's own."""
        tensors = {n: t if t.requires_grad else t.detach().requires_grad_() for n, t in moved.items()}
        return Stack(tensors | (moments(moved) if self.inner_optimiser == "adam" else {}))

    @staticmethod
    def _end(start: Stack, state: Stack) -> Stack:
        """The state as a whole stack."""
        return Stack(dict(start.items()) | dict(state.part([name for name, _ in start.items()]).items()))

    def _step(self, loss: SupportLoss, trace: Trace, number: int, state: Stack, first_order: bool) -> Stack:
        moved = state.part(loss.moved)
        losses = loss(moved)
        trace.losses.append(losses.detach())
        if self.inner_optimiser == "sgd":
            inner = self._inner(moved, loss.moved, number, first_order)
            inner.adapt(losses.sum())
            adapted: Stack = inner.module
            return adapted
        tensors = [tensor for _, tensor in moved.items()]
        gradients = torch.autograd.grad(losses.sum(), tensors, create_graph=not first_order)
        directions, after = adam(loss.moved, gradients, state, number)
        learned = self._rates(loss.moved, number)
        rates: Sequence[Tensor | float] = learned or [self.inner_lr] * len(directions)
        scaled = [rate * each for rate, each in zip(rates, directions, strict=True)]
        learn2learn.load().maml.maml_update(moved, 1.0, scaled)
        return Stack(dict(moved.items()) | after)

    def _inner(self, moved: Stack, names: Sequence[str], number: int, first_order: bool) -> Any:
        """The algorithm of learn2learn around the tensors that move; its `adapt` takes one step."""
        algorithms = learn2learn.load()
        if rates := self._rates(names, number):
            return algorithms.MetaSGD(moved, lrs=rates, first_order=first_order)
        return algorithms.MAML(moved, lr=self.inner_lr, first_order=first_order)

    def _rates(self, names: Sequence[str], number: int) -> list[Tensor]:
        """What is learned of the rates, one for each tensor; none where they are fixed.

        Args:
            names: of the tensors.
            number: of the inner step, from 0.
        """
        return [self.log_rates[key(name)].exp() for name in names] if self.log_rates else []


def key(name: str) -> str:
    """A tensor's name in a ParameterDict, which takes no dots."""
    return name.replace(".", "/")


def tensor(name: str) -> str:
    """The name of the tensor that has this `key`."""
    return name.replace("/", ".")

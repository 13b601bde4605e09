"""Heads in closed form: what learns a task without a gradient, on frozen features or on meta-trained ones.

A method says what its head is (`solve`); where the features come from is said here.
"""

from abc import abstractmethod

import torch
from torch import Tensor

from fewshot.algorithms.algorithm import Adapted, Algorithm, MetaStep, Predictor, require_space
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack

Rows = tuple[Tensor, TaskBatch]  # features (R, H), and whose they are


class SolvedHead(Algorithm):
    """A head that is solved for each task; the features are those of the backbone without any adapter."""

    adapts = False
    shares_body = True

    def prepare(self, learner: Learner) -> str:
        """Sees that there are features.

        Raises:
            InputError: a learner that answers in words.
        """
        require_space(learner, type(self).__name__)
        return super().prepare(learner)

    @abstractmethod
    def solve(self, learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
        """The head of every task, for the stack.

        Args:
            learner: the model.
            features: of the support rows, (R, H).
            support: the support sets.
        """

    def body(self, learner: Learner, tasks: int) -> Stack:
        """The adapters under which the features are computed: none."""
        return Stack({})

    def solution(self, learner: Learner, support: TaskBatch) -> Stack:
        """The adapters with each task's head."""
        body = self.body(learner, support.tasks)
        return Stack(dict(body.items()) | self.solve(learner, learner.features(body, support), support))

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """Solves each task's head."""
        with torch.no_grad():
            return Adapted(learner, self.solution(learner, support))


class TrainedFeatures(SolvedHead):
    """The adapter is meta-trained so that solved heads classify.

    Args:
        both_ways: the query set takes the place of the support set as well, so that an episode teaches twice
            from the same features.
    """

    trainable = True

    def __init__(self, both_ways: bool = False) -> None:
        super().__init__()
        self.both_ways = both_ways

    def body(self, learner: Learner, tasks: int) -> Stack:
        """The meta-trained adapter."""
        return learner.start_body(tasks)

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """Query losses under the solutions, differentiated through them."""
        body = self.body(learner, support.tasks)
        known, asked = learner.features(body, support), learner.features(body, query)
        scores = self._scores(learner, (known, support), (asked, query))
        losses = learner.losses(scores, query)
        if self.both_ways:
            back = learner.losses(self._scores(learner, (asked, query), (known, support)), support)
            losses = (losses + back) / 2
        return MetaStep(losses, scores.detach())

    def _scores(self, learner: Learner, known: Rows, asked: Rows) -> Tensor:
        """Class scores of some rows under the heads solved on others."""
        head = Stack(self.solve(learner, *known))
        return learner.head.logits(head, *asked)

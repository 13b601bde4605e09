"""Prototypes that the query set refines: soft k-means from the support set.

Ren, Triantafillou, Ravi, Snell, Swersky, Tenenbaum, Larochelle, Zemel: Meta-Learning for Semi-Supervised
Few-Shot Classification, ICLR 2018, https://arxiv.org/abs/1803.00676, where the unlabelled examples are the
queries themselves. With p(n | z) the softmax of the scores under the prototypes so far,

    c_n = (sum of class n's support z  +  sum over queries of p(n | z) z) / (K + sum over queries of p(n | z))

So an answer depends on the other queries of its episode: transductive, and no rival of what is not.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fewshot.models.batch import TaskBatch
from fewshot.models.heads import class_sums
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack

FromMeans = Callable[[Learner, Tensor], dict[str, Tensor]]  # class means (T, max way, H) -> a head


@dataclass(frozen=True)
class Refined:
    """A predictor that looks at all queries of a task before it answers.

    Args:
        learner: the model.
        body: the adapters under which features are computed.
        support: the support sets.
        head: of class means.
        steps: of k-means.
    """

    learner: Learner
    body: Stack
    support: TaskBatch
    head: FromMeans
    steps: int

    def __call__(self, query: TaskBatch) -> Tensor:
        """Class scores of the query rows, (R, max way), without a graph."""
        with torch.no_grad():
            known, counts = class_sums(self.learner.features(self.body, self.support), self.support)
            asked = self.learner.features(self.body, query)
            means = known / counts.clamp(min=1)
            for _ in range(self.steps):
                shares = self._scores(means, asked, query).softmax(-1)
                sums, weights = _weighted(F.normalize(asked, dim=-1), shares, query)
                means = (known + sums) / (counts + weights).clamp(min=1e-9)
            return self._scores(means, asked, query)

    def _scores(self, means: Tensor, features: Tensor, batch: TaskBatch) -> Tensor:
        return self.learner.head.logits(Stack(self.head(self.learner, means)), features, batch)


def _weighted(unit: Tensor, shares: Tensor, batch: TaskBatch) -> tuple[Tensor, Tensor]:
    """Of each task and class: rows (R, H) summed by their shares (R, N), and the sum of the shares."""
    rows = shares[:, :, None] * unit[:, None]  # (R, N, H)
    sums = rows.new_zeros(batch.tasks, *rows.shape[1:]).index_add(0, batch.task, rows)
    weights = shares.new_zeros(batch.tasks, shares.shape[1]).index_add(0, batch.task, shares)
    return sums, weights[:, :, None]

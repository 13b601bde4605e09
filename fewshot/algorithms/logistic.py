"""Logistic regression on frozen features: the linear head that everybody tries first.

scikit-learn's `LogisticRegression` (L-BFGS) on unit-length support features,

    min over W, b of  sum over examples of -log softmax(W z + b)_y + |W|^2 / (2 C)

as a strong plain baseline in: Tian, Wang, Krishnan, Tenenbaum, Isola: Rethinking Few-Shot Image
Classification: a Good Embedding Is All You Need?, ECCV 2020, https://arxiv.org/abs/2003.11539.
"""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from fewshot.algorithms.solved import SolvedHead
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import BIAS, WEIGHT
from fewshot.models.learner import Learner


class FrozenLogistic(SolvedHead):
    """A logistic head on the backbone without any adapter.

    Args:
        strength: C, the inverse weight of the penalty.

    Raises:
        InputError: a strength that is not positive.
    """

    def __init__(self, strength: float = 100.0) -> None:
        super().__init__()
        if not strength > 0:
            raise InputError("C is not positive", where="logistic strength", got=strength, needed="above 0")
        self.strength = strength

    def solve(self, learner: Learner, features: Tensor, support: TaskBatch) -> dict[str, Tensor]:
        """Each task's fit; behind the learner's scale the scores are its log-odds."""
        unit = F.normalize(features, dim=-1)
        width, scale = max(support.ways), learner.head.log_scale.exp().item()
        weights, biases = [], []
        for task in range(support.tasks):
            mine = support.task == task
            rows, labels = unit[mine].cpu().double().numpy(), support.labels[mine].cpu().numpy()
            weight, bias = _fit(rows, labels, self.strength)
            missing = width - len(weight)
            weights.append(np.pad(weight, ((0, missing), (0, 0))))
            biases.append(np.pad(bias, (0, missing)))
        return {
            WEIGHT: torch.as_tensor(np.stack(weights) / scale).to(unit),
            BIAS: torch.as_tensor(np.stack(biases)).to(unit),
        }


def _fit(features: np.ndarray, labels: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    model = LogisticRegression(C=strength, max_iter=1000).fit(features, labels)
    if len(model.classes_) > 2:
        return model.coef_, model.intercept_
    # two classes have one vector: half of it for the one, half against the other
    return np.stack([-model.coef_[0], model.coef_[0]]) / 2, np.array([-1, 1]) * model.intercept_[0] / 2

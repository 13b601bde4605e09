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

from fewshot.algorithms.algorithm import Adapted, Algorithm, Predictor
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import BIAS, WEIGHT
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class FrozenLogistic(Algorithm):
    """A logistic head on the backbone without any adapter.

    Args:
        strength: C, the inverse weight of the penalty.

    Raises:
        InputError: a strength that is not positive.
    """

    adapts = False

    def __init__(self, strength: float = 100.0) -> None:
        super().__init__()
        if not strength > 0:
            raise InputError("C is not positive", where="logistic strength", got=strength, needed="above 0")
        self.strength = strength

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """Fits each task's head; the scores are its log-odds."""
        with torch.no_grad():
            unit = F.normalize(learner.features(Stack({}), support), dim=-1)
            return Adapted(learner, logistic_head(learner, unit, support, self.strength))


def logistic_head(learner: Learner, unit: torch.Tensor, support: TaskBatch, strength: float) -> Stack:
    """Weight and bias of every task, as a stack whose scores behind the learner's scale are the fits'."""
    width, scale = max(support.ways), learner.head.log_scale.exp().item()
    weights, biases = [], []
    for task in range(support.tasks):
        mine = support.task == task
        weight, bias = _fit(unit[mine].cpu().double().numpy(), support.labels[mine].cpu().numpy(), strength)
        missing = width - len(weight)
        weights.append(np.pad(weight, ((0, missing), (0, 0))))
        biases.append(np.pad(bias, (0, missing)))
    return Stack(
        {
            WEIGHT: torch.as_tensor(np.stack(weights) / scale).to(unit),
            BIAS: torch.as_tensor(np.stack(biases)).to(unit),
        }
    )


def _fit(features: np.ndarray, labels: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    model = LogisticRegression(C=strength, max_iter=1000).fit(features, labels)
    if len(model.classes_) > 2:
        return model.coef_, model.intercept_
    # two classes have one vector: half of it for the one, half against the other
    return np.stack([-model.coef_[0], model.coef_[0]]) / 2, np.array([-1, 1]) * model.intercept_[0] / 2

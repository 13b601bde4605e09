"""Nearest prototype on frozen features: the first baseline.

Snell, Swersky, Zemel: Prototypical Networks for Few-shot Learning, NeurIPS 2017,
https://arxiv.org/abs/1703.05175. A class is the mean of its unit-length support features; a query
belongs to the class of the largest cosine. No adapter, no training.
"""

import torch

from fewshot.algorithms.algorithm import Adapted, Algorithm, Predictor
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import BIAS, WEIGHT, prototypes
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class FrozenPrototypes(Algorithm):
    """Cosine to the class prototypes of the backbone without any adapter."""

    adapts = False

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """Prototypes as the rows of a linear head."""
        with torch.no_grad():
            weight = prototypes(learner.features(Stack({}), support), support)
        return Adapted(learner, Stack({WEIGHT: weight, BIAS: weight.new_zeros(weight.shape[:2])}))

"""Fine-tuning of a fresh adapter for each task: what people do who do not meta-train.

Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models, 2021, https://arxiv.org/abs/2106.09685: A
random, B zero, and a head from the support prototypes; then Adam on the support loss,

    theta_0 = PEFT's initialisation,    theta_{k+1} = Adam(theta_k, grad L_support(theta_k))

with the inner loop of MAML. Nothing of the run's own adapter is used.
"""

import torch

from fewshot.algorithms.maml import MAML
from fewshot.algorithms.prototypes import cosine_head
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import class_means
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class FineTune(MAML):
    """LoRA fine-tuning from PEFT's own initialisation, each task its own adapter.

    Args:
        inner_steps: steps of Adam on the support set.
        inner_lr: its rate.
        anchor: weight of a penalty towards the initialisation.
    """

    trainable = False

    def __init__(self, inner_steps: int = 30, inner_lr: float = 5e-3, anchor: float = 0.0) -> None:
        super().__init__(1, inner_steps, inner_lr, False, "adam", anchor)

    def start(self, learner: Learner, support: TaskBatch) -> Stack:
        """The fresh adapter, and prototypes of what it gives, where it gives features."""
        fresh = learner.fresh_adapter()
        body = Stack({n: value.expand(support.tasks, *value.shape).clone() for n, value in fresh.items()})
        if not learner.has_space:
            return body
        with torch.no_grad():
            head = cosine_head(learner, class_means(learner.features(body, support), support))
        return Stack(dict(body.items()) | head)

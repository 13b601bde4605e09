"""MAML that starts from a prototypical head, differentiated through.

Triantafillou, Zhu, Dumoulin, Lamblin, Evci, Xu, Goroshin, Gelada, Swersky, Manzagol, Larochelle:
Meta-Dataset: A Dataset of Datasets for Learning to Learn from Few Examples, ICLR 2020,
https://arxiv.org/abs/1903.03096.

    W_n = 2 c_n,    b_n = -|c_n|^2,    c_n the mean support feature of class n

so that the linear scores are, up to what is the same for all classes, the negative squared distances to
the prototypes. Then the inner loop of MAML moves everything. With the scale s of the head before the
unit-length features z the scores are s (z . 2 c_n) - s |c_n|^2.
"""

from fewshot.algorithms.algorithm import require_space
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.prototypes import euclidean_head
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import class_means
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class ProtoMAML(MAML):
    """MAML from the Euclidean prototypes, whatever head the learner has; arguments as for MAML."""

    def prepare(self, learner: Learner) -> str:
        """As MAML.

        Raises:
            InputError: a learner that answers in words.
        """
        require_space(learner, "ProtoMAML")
        return super().prepare(learner)

    def start(self, learner: Learner, support: TaskBatch) -> Stack:
        """The adapter, and the head of the prototypes."""
        body = learner.start_body(support.tasks)
        head = euclidean_head(learner, class_means(learner.features(body, support), support))
        return Stack({name: tensor.clone() for name, tensor in body.items()} | head)

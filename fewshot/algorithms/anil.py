"""Almost no inner loop: the head alone is adapted.

Raghu, Raghu, Bengio, Vinyals: Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness
of MAML, ICLR 2020, https://arxiv.org/abs/1909.09157.

    w_{k+1} = w_k - alpha * grad_w L_support(phi, w_k),    meta-loss = L_query(phi, w_K)

w is the head of the stack, phi the adapter, which only the outer loop learns. So the support features
are computed once, and an inner step costs next to nothing.
"""

from fewshot.algorithms.maml import MAML
from fewshot.models.learner import Learner


class ANIL(MAML):
    """MAML whose inner loop moves the head alone; arguments as for MAML."""

    def moved(self, learner: Learner) -> list[str]:
        """The head."""
        return list(learner.head.names)

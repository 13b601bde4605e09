"""Body only update in the inner loop: the head stays as it is, the adapter moves.

Oh, Yoo, Kim, Yun: BOIL: Towards Representation Change for Few-shot Learning, ICLR 2021,
https://arxiv.org/abs/2008.08882.

    phi_{k+1} = phi_k - alpha * grad_phi L_support(phi_k, w),    meta-loss = L_query(phi_K, w)

phi is the adapter of the stack, w the head it starts with, which only the outer loop learns.
"""

from fewshot.algorithms.maml import MAML
from fewshot.errors import InputError
from fewshot.models.learner import Learner


class BOIL(MAML):
    """MAML whose inner loop moves the adapter alone; arguments as for MAML."""

    def prepare(self, learner: Learner) -> str:
        """As MAML.

        Raises:
            InputError: a head that scores all classes alike until it is adapted, which it never is here.
        """
        if not learner.head.distinguishes:
            raise InputError(
                "BOIL does not adapt the head, and this one starts alike for all classes",
                where="model.head",
                got="shared",
                needed="'prototype', or 'per_class'",
            )
        return super().prepare(learner)

    def moved(self, learner: Learner) -> list[str]:
        """The adapter."""
        return list(learner.adapter())

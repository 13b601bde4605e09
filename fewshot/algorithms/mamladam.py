"""MAML whose inner optimiser is Adam: the default of `fewshot train`.

Finn, Abbeel, Levine: Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks, ICML 2017,
https://arxiv.org/abs/1703.03400. Kingma, Ba: Adam: A Method for Stochastic Optimization, ICLR 2015,
https://arxiv.org/abs/1412.6980.

    theta_{k+1} = theta_k - alpha * m_k / sqrt(v_k),    meta-loss = L_query(theta_K)

m_k and v_k are Adam's corrected means of the inner gradients and of their squares, from zero in every
task; theta is the stack, alpha the learned rate of each tensor. The gradients of LoRA's two matrices
differ by orders of magnitude, since B begins at zero: Adam's steps do not.
"""

from fewshot.algorithms.maml import MAML


class MAMLAdam(MAML):
    """MAML with a few steps of Adam on each task.

    Args:
        order: 1 or 2: whether the meta-gradient goes through the inner gradients.
        inner_steps: steps of Adam on the support set.
        inner_lr: size of a step; where it is learned, where it starts.
        learn_inner_lr: make the step size of every adapted tensor a meta-parameter.
        anchor: weight of a penalty that holds the inner loop near the initialisation; 0 for none.
    """

    def __init__(
        self,
        order: int = 1,
        inner_steps: int = 5,
        inner_lr: float = 0.003,
        learn_inner_lr: bool = True,
        anchor: float = 0.0,
    ) -> None:
        super().__init__(order, inner_steps, inner_lr, learn_inner_lr, "adam", anchor)

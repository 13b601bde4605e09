"""Meta-Curvature: the inner gradient turned by learned matrices.

Park, Oliva: Meta-Curvature, NeurIPS 2019, https://arxiv.org/abs/1902.03356. Kronecker factors of the
same kind: Arnold, Iqbal, Sha: When MAML Can Adapt Fast and How to Assist When It Cannot, AISTATS 2021.

    theta_{k+1} = theta_k - alpha * M_o G M_i,    G the gradient of a matrix, M_o (out, out), M_i (in, in)

M starts as the identity. The transforms and the update are learn2learn's (`MetaCurvatureTransform`,
`ParameterUpdate`, `GBML`). They are made for the meta-parameter's own shape and hold for all T tasks;
the head has one M_i over the features, the same for all classes.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fewshot.algorithms import learn2learn
from fewshot.algorithms.maml import MAML
from fewshot.models.heads import WEIGHT
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class MetaCurvature(MAML):
    """MAML whose inner gradients pass through learned Kronecker factors.

    Args:
        order: as for MAML, and so below; the factors are learned in either.
        inner_steps: gradient steps on the support set.
        inner_lr: size of an inner step.
        anchor: weight of the penalty towards the initialisation.
    """

    lr_factor = 1.0

    def __init__(
        self, order: int = 1, inner_steps: int = 3, inner_lr: float = 0.2, anchor: float = 0.0
    ) -> None:
        optimiser: Literal["sgd"] = "sgd"
        super().__init__(order, inner_steps, inner_lr, False, optimiser, anchor)
        self.update: nn.Module | None = None

    def prepare(self, learner: Learner) -> str:
        """Makes the factors."""
        said = super().prepare(learner)
        shapes = {name: value.shape for name, value in learner.adapter().items()} | learner.head.shapes
        named = [(name, torch.empty(shapes[name])) for name in self.moved(learner)]
        made = iter([_transform(name, like) for name, like in named])
        likes = [like for _, like in named]
        update = learn2learn.optim().ParameterUpdate(parameters=likes, transform=lambda _: next(made))
        self.update = update.to(learner.device)
        return said

    def _inner(self, moved: Stack, names: Sequence[str], number: int, first_order: bool) -> Any:
        return learn2learn.load().GBML(
            moved,
            transform=None,
            lr=self.inner_lr,
            # in first order too the factors are learned, from the gradient they are given
            first_order=first_order,
            compute_update=self.update,
        )


def _transform(name: str, like: Tensor) -> nn.Module:
    curvature = learn2learn.optim().transforms.MetaCurvatureTransform
    if name == WEIGHT:
        return _Rows(curvature(like[None]))
    return curvature(like if like.dim() else like[None])  # type: ignore[no-any-return]


class _Rows(nn.Module):
    """A transform of one row, for each row of (T, N, H)."""

    def __init__(self, transform: nn.Module) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, gradient: Tensor) -> Tensor:
        changed: Tensor = self.transform(gradient[..., None, :])
        return changed[..., 0, :]

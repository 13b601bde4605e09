import pytest
import torch
from conftest import LearnerMaker, attribute_episodes

from fewshot.algorithms.algorithm import collate
from fewshot.algorithms.maml import MAML
from fewshot.models import precision
from fewshot.models.precision import choose_dtype


def test_a_named_type_is_taken_as_it_is() -> None:
    assert choose_dtype("float32") == torch.float32
    assert choose_dtype("bfloat16") == torch.bfloat16


@pytest.mark.parametrize(("half", "chosen"), [(0.9, torch.float32), (0.5, torch.bfloat16)])
def test_auto_takes_bfloat16_where_it_is_well_faster(
    half: float, chosen: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda dtype: half if dtype == torch.bfloat16 else 1.0)
    assert choose_dtype("auto") == chosen


def test_the_base_is_bfloat16_and_what_is_learned_is_not(make_learner: LearnerMaker) -> None:
    learner = make_learner(dtype="bfloat16")
    kinds = {(p.requires_grad, p.dtype) for p in learner.parameters()}
    assert kinds == {(False, torch.bfloat16), (True, torch.float32)}
    support, query = collate(learner, attribute_episodes(2))
    loss = MAML(learn_inner_lr=False).meta_step(learner, support, query).losses.sum()
    grads = torch.autograd.grad(loss, list(learner.adapter().values()))
    assert all(grad.dtype == torch.float32 and bool(grad.isfinite().all()) for grad in grads)

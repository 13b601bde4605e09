import pytest
import torch
from conftest import LearnerMaker, attribute_episodes

from fewshot.algorithms.algorithm import collate
from fewshot.algorithms.maml import MAML
from fewshot.errors import InputError
from fewshot.models import compute
from fewshot.models.compute import Compute


def test_a_named_type_is_taken_as_it_is() -> None:
    assert Compute(dtype="float32").chosen_dtype() == torch.float32
    assert Compute(dtype="bfloat16").chosen_dtype() == torch.bfloat16


@pytest.mark.parametrize(("half", "chosen"), [(0.9, torch.float32), (0.5, torch.bfloat16)])
def test_auto_takes_bfloat16_where_it_is_well_faster(
    half: float, chosen: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "_seconds", lambda dtype, device: half if dtype == torch.bfloat16 else 1.0)
    assert Compute().chosen_dtype() == chosen


def test_the_base_is_bfloat16_and_what_is_learned_is_not(make_learner: LearnerMaker) -> None:
    learner = make_learner(compute=Compute(dtype="bfloat16"))
    kinds = {(p.requires_grad, p.dtype) for p in learner.parameters()}
    assert kinds == {(False, torch.bfloat16), (True, torch.float32)}
    support, query = collate(learner, attribute_episodes(2))
    loss = MAML(learn_inner_lr=False).meta_step(learner, support, query).losses.sum()
    grads = torch.autograd.grad(loss, list(learner.adapter().values()))
    assert all(grad.dtype == torch.float32 and bool(grad.isfinite().all()) for grad in grads)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Compute().chosen_device().type == "cpu"
    with pytest.raises(InputError) as error:
        Compute(device="cuda").chosen_device()
    assert str(error.value) == (
        "there is no CUDA device\n  where:  model.compute.device\n  do:     take 'auto' or 'cpu'"
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gradient_on_a_gpu_is_that_on_a_cpu(make_learner: LearnerMaker) -> None:
    found = []
    for device in ("cpu", "cuda"):
        learner = make_learner(compute=Compute(device=device, dtype="float32"))
        algorithm = MAML()
        algorithm.prepare(learner)
        support, query = collate(learner, attribute_episodes(2))
        loss = algorithm.meta_step(learner, support, query).losses.sum()
        grads = torch.autograd.grad(loss, list(learner.adapter().values()))
        found.append(torch.cat([grad.flatten().cpu() for grad in grads]))
    assert float((found[0] - found[1]).norm() / found[0].norm()) < 1e-3

from collections.abc import Iterator
from typing import Any, Literal

import pytest
import torch
from conftest import LearnerMaker, attribute_episodes

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.maml import MAML
from fewshot.errors import InputError
from fewshot.models import compute, rates
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.products import has_onednn
from fewshot.processes import Processes


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """Leaves torch the threads that it had."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def gain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """How many times as fast as float32 bfloat16 is."""
    gain: float = request.param
    monkeypatch.setattr(compute, "bfloat16_gain", lambda device: gain)
    return gain


@pytest.mark.parametrize(
    ("gain", "auto"), [(0.2, torch.float32), (1.1, torch.float32), (2.0, torch.bfloat16)], indirect=["gain"]
)
@pytest.mark.usefixtures("gain")
def test_auto_takes_bfloat16_where_it_is_well_faster(auto: torch.dtype) -> None:
    assert Compute().chosen_dtype() == auto
    assert Compute(dtype="float32", products="blas").chosen_dtype() == torch.float32


@pytest.mark.parametrize("gain", [0.9, 1.1, 2.0], indirect=True)
@pytest.mark.usefixtures("gain")
def test_bfloat16_is_taken_where_it_is_asked_for() -> None:
    assert Compute(dtype="bfloat16").chosen_dtype() == torch.bfloat16


@pytest.mark.parametrize("gain", [0.25], indirect=True)
@pytest.mark.usefixtures("gain")
def test_bfloat16_is_refused_where_the_hardware_has_none() -> None:
    with pytest.raises(InputError) as error:
        LoraEncoder(compute=Compute(dtype="bfloat16"))
    assert str(error.value) == (
        "this hardware has no bfloat16 arithmetic\n"
        "  where:  model.compute.dtype\n"
        "  got:    bfloat16 products at 0.25 times the speed of float32\n"
        "  needed: a device with bfloat16 products of its own\n"
        "  do:     take 'auto' or 'float32', or model.compute.emulate true "
        "(bfloat16 weights, float32 products)"
    )


@pytest.mark.parametrize("gain", [0.25], indirect=True)
@pytest.mark.usefixtures("gain")
def test_emulated_bfloat16_rounds_the_weights_and_multiplies_in_float32(make_learner: LearnerMaker) -> None:
    exact = dict(make_learner().peft.named_parameters())
    learner = make_learner(compute=Compute(dtype="bfloat16", emulate=True))
    assert learner.resolved()["compute"]["dtype"] == "bfloat16"
    assert "bfloat16 weights in float32 products" in learner.note()
    for name, value in learner.peft.named_parameters():
        assert value.dtype == torch.float32
        if not value.requires_grad:
            assert torch.equal(value, exact[name].to(torch.bfloat16).float())


@pytest.mark.parametrize("gain", [2.0], indirect=True)
@pytest.mark.usefixtures("gain")
def test_where_there_is_bfloat16_nothing_is_emulated() -> None:
    assert not Compute(dtype="bfloat16", emulate=True).emulates()


def test_the_rates_are_measured_once() -> None:
    device = torch.device("cpu")
    assert rates.bfloat16_gain(device) == rates.bfloat16_gain(device) > 0
    assert rates.product_rate(device) == rates.product_rate(device) > 1e9


@pytest.mark.parametrize("gain", [2.0], indirect=True)
@pytest.mark.usefixtures("gain")
def test_the_base_is_bfloat16_and_what_is_learned_is_not(make_learner: LearnerMaker) -> None:
    learner = make_learner(compute=Compute(dtype="bfloat16"))
    kinds = {(p.requires_grad, p.dtype) for p in learner.parameters()}
    assert kinds == {(False, torch.bfloat16), (True, torch.float32)}
    support, query = ready(learner, attribute_episodes(2))
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


@pytest.mark.parametrize(("asked", "cpus", "expected"), [(1, 4, 1), (3, 4, 3), (3, 2, 2), ("auto", 4, 2)])
def test_torch_gets_the_threads_that_are_asked_for(
    asked: int | Literal["auto"],
    cpus: int,
    expected: int,
    make_learner: LearnerMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    torch.set_num_threads(2)
    learner = make_learner(compute=Compute(dtype="float32", products="blas", threads=asked))
    assert torch.get_num_threads() == expected
    torch.set_num_threads(1)
    assert learner.resolved()["compute"]["threads"] == expected  # what it was built with


def test_with_a_gpu_the_threads_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    torch.set_num_threads(2)
    assert Compute(threads=1).set_threads() == 2
    assert torch.get_num_threads() == 2


def test_no_threads_are_refused() -> None:
    with pytest.raises(InputError) as error:
        Compute(threads=0)
    assert str(error.value) == "model.compute.threads is too small\n  got:    0\n  needed: 1 or more"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gradient_on_a_gpu_is_that_on_a_cpu(make_learner: LearnerMaker) -> None:
    found = []
    for device in ("cpu", "cuda"):
        learner = make_learner(compute=Compute(device=device, dtype="float32"))
        algorithm = MAML()
        algorithm.prepare(learner)
        support, query = ready(learner, attribute_episodes(2))
        loss = algorithm.meta_step(learner, support, query).losses.sum()
        grads = torch.autograd.grad(loss, list(learner.adapter().values()))
        found.append(torch.cat([grad.flatten().cpu() for grad in grads]))
    assert float((found[0] - found[1]).norm() / found[0].norm()) < 1e-3


def test_all_processes_choose_by_what_the_first_has_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Second(Processes):
        rank, size = 1, 2

        def from_first(self, value: Any) -> Any:
            return {"bfloat16 on cpu": 3.0, "onednn": 1.3}

    monkeypatch.setattr(rates, "_GAINS", {"bfloat16 on cpu": 1.0, "onednn": 1.0})
    rates.agree(Processes())
    assert Compute().chosen_dtype() == torch.float32
    rates.agree(Second())
    assert Compute(device="cpu").chosen_dtype() == torch.bfloat16
    assert Compute(device="cpu").chosen_products() == ("onednn" if has_onednn() else "blas")

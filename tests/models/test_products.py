from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from conftest import LearnerMaker, attribute_episodes
from torch import Tensor, nn

from fewshot.algorithms.algorithm import Algorithm, ready
from fewshot.algorithms.maml import MAML
from fewshot.errors import InputError
from fewshot.models import compute
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.products import FrozenLinear, by_onednn, has_onednn, operations, product

pytestmark = pytest.mark.skipif(not has_onednn(), reason="torch was built without oneDNN")


def arguments(*shape: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(s, generator=generator) for s in ((*shape, 5), (7, 5), (7,)))
    return x, weight, bias


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0,)])
def test_a_product_is_that_of_torch(shape: tuple[int, ...]) -> None:
    x, weight, bias = arguments(*shape)
    assert torch.allclose(product(x, weight, bias), F.linear(x, weight, bias), atol=1e-6)
    assert torch.allclose(product(x, weight), F.linear(x, weight), atol=1e-6)


@pytest.mark.parametrize(
    "change", [lambda x: x.expand(4, 3, 5), lambda x: x.flip(0), lambda x: x.mT.contiguous().mT]
)
def test_any_layout_is_taken(change: Callable[[Tensor], Tensor]) -> None:
    x, weight, bias = arguments(3)
    assert torch.allclose(product(change(x), weight, bias), F.linear(change(x), weight, bias), atol=1e-6)
    turned = weight.mT.contiguous().mT
    assert torch.allclose(product(x, turned, bias), F.linear(x, weight, bias), atol=1e-6)


def test_first_and_second_derivatives_are_those_of_torch() -> None:
    found: list[list[Tensor]] = []
    for way in (product, F.linear):
        x, weight, bias = arguments(3)
        x, weight = x.requires_grad_(), weight.requires_grad_()
        loss = way(torch.tanh(x), weight, bias).square().sum()
        first = torch.autograd.grad(loss, [x, weight], create_graph=True)
        second = torch.autograd.grad(
            torch.cat([each.flatten() for each in first]).square().sum(), [x, weight]
        )
        found.append([*first, *second])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_frozen_weight_keeps_no_activations() -> None:
    x, weight, bias = arguments(3)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        product(x.requires_grad_(), weight, bias)
    assert [tensor.shape for tensor in kept] == [weight.shape]


def test_double_precision_goes_the_usual_way() -> None:
    x, weight, bias = (each.double() for each in arguments(3))
    assert torch.equal(product(x, weight, bias), F.linear(x, weight, bias))


def test_plain_linear_maps_alone_are_replaced_and_keep_their_weights() -> None:
    class Special(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(4, 3), nn.Sequential(Special(3, 3), nn.Linear(3, 2, bias=False)))
    model.eval().requires_grad_(False)
    before = dict(model.named_parameters())
    by_onednn(model)
    kinds = [type(module) for module in model.modules() if isinstance(module, nn.Linear)]
    assert kinds == [FrozenLinear, Special, FrozenLinear]
    after = dict(model.named_parameters())
    assert {name: id(value) for name, value in after.items()} == {n: id(v) for n, v in before.items()}
    assert not any(module.training for module in model.modules())


def test_operations_are_two_a_multiplication() -> None:
    assert operations((2, 3, 5), (7, 5)) == 2 * 2 * 3 * 5 * 7


def meta_gradient(learner: LoraEncoder, algorithm: Algorithm) -> Tensor:
    algorithm.prepare(learner)
    step = algorithm.meta_step(learner, *ready(learner, attribute_episodes(3)))
    torch.autograd.backward(step.losses.sum())
    grads = [value.grad for value in learner.adapter().values()]
    return torch.cat([grad.flatten() for grad in grads if grad is not None])


@pytest.mark.parametrize("order", [1, 2])
def test_the_meta_gradient_is_the_same_by_either_library(make_learner: LearnerMaker, order: int) -> None:
    ours, theirs = (
        meta_gradient(make_learner(compute=Compute(dtype="float32", products=each)), MAML(order, 3))
        for each in ("onednn", "blas")
    )
    assert ((ours - theirs).norm() / theirs.norm()).item() < 1e-5


@pytest.mark.parametrize(("gain", "library"), [(1.1, "blas"), (1.9, "onednn")])
def test_auto_takes_onednn_where_it_is_well_faster(
    gain: float, library: str, make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "onednn_gain", lambda: gain)
    learner = make_learner(compute=Compute(device="cpu", dtype="float32"))
    assert learner.resolved()["compute"]["products"] == library
    assert ("float32 by oneDNN" in learner.note()) == (library == "onednn")


def test_onednn_is_refused_where_torch_does_not_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "has_onednn", lambda: False)
    assert Compute(device="cpu").chosen_products() == "blas"
    with pytest.raises(InputError) as error:
        Compute(device="cpu", products="onednn").chosen_products()
    assert str(error.value) == (
        "this build of torch has no oneDNN\n"
        "  where:  model.compute.products\n"
        f"  got:    torch {torch.__version__}\n"
        "  needed: a build with oneDNN (MKLDNN), or another library\n"
        "  do:     set model.compute.products to auto"
    )


def test_what_a_run_on_a_cpu_has_recorded_is_no_obstacle_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Compute(device="auto", products="onednn").chosen_products() == "blas"

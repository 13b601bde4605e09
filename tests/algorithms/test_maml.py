import pytest
import torch
from algorithms.oracle import meta_gradients
from conftest import LearnerMaker, attribute_episodes
from torch import Tensor

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.maml import MAML
from fewshot.errors import InputError
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora
from fewshot.tasks.episode import Episode


def stacked_gradients(learner: LoraEncoder, drawn: list[Episode], algorithm: MAML) -> dict[str, Tensor]:
    support, query = ready(learner, drawn)
    loss = algorithm.meta_step(learner, support, query).losses.sum()
    parameters = learner.adapter()
    return dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))


def relative_error(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    ours_flat = torch.cat([ours[name].flatten() for name in theirs])
    theirs_flat = torch.cat([value.flatten() for value in theirs.values()])
    return float((ours_flat - theirs_flat).norm() / theirs_flat.norm())


@pytest.mark.parametrize("order", [1, 2])
def test_the_stack_has_the_outer_gradient_of_learn2learn_task_by_task(
    make_learner: LearnerMaker, order: int
) -> None:
    learner = make_learner().double()
    algorithm = MAML(order=order, inner_steps=3, inner_lr=0.1, learn_inner_lr=False)
    algorithm.prepare(learner)
    drawn = attribute_episodes(3)
    theirs = meta_gradients(learner, drawn, steps=3, rate=0.1, first_order=order == 1)
    assert relative_error(stacked_gradients(learner, drawn, algorithm), theirs) < 1e-9


@pytest.mark.parametrize("order", [1, 2])
def test_on_minilm_in_single_precision_too(order: int) -> None:
    learner = LoraEncoder(
        lora=Lora(layers="all", modules=("query", "value")), compute=Compute(dtype="float32")
    )
    algorithm = MAML(order=order, inner_steps=3, inner_lr=0.1, learn_inner_lr=False)
    algorithm.prepare(learner)
    drawn = attribute_episodes(2)
    theirs = meta_gradients(learner, drawn, steps=3, rate=0.1, first_order=order == 1)
    assert relative_error(stacked_gradients(learner, drawn, algorithm), theirs) < 1e-5


def test_the_orders_differ(make_learner: LearnerMaker) -> None:
    learner, drawn = make_learner(), attribute_episodes(2)
    first, second = (
        stacked_gradients(learner, drawn, MAML(order=order, inner_lr=0.5, learn_inner_lr=False))
        for order in (1, 2)
    )
    assert relative_error(first, second) > 1e-3


def test_learned_rates_start_as_the_fixed_ones(make_learner: LearnerMaker) -> None:
    learner, drawn = make_learner().double(), attribute_episodes(2)
    learned, fixed = MAML(inner_lr=0.2), MAML(inner_lr=0.2, learn_inner_lr=False)
    learned.prepare(learner)
    error = relative_error(
        stacked_gradients(learner, drawn, learned), stacked_gradients(learner, drawn, fixed)
    )
    assert error < 1e-6


def test_the_gradient_of_a_learned_rate_is_its_finite_difference(make_learner: LearnerMaker) -> None:
    learner = make_learner().double()
    algorithm = MAML(order=2, inner_steps=2, inner_lr=0.3)
    algorithm.prepare(learner)
    algorithm.double()
    support, query = ready(learner, attribute_episodes(2))
    rate = algorithm.log_rates["head/weight"]

    def loss() -> Tensor:
        return algorithm.meta_step(learner, support, query).losses.sum()

    (gradient,) = torch.autograd.grad(loss(), [rate])
    values = []
    for shift in (1e-5, -1e-5):
        with torch.no_grad():
            rate += shift
        values.append(loss().item())
        with torch.no_grad():
            rate -= shift
    assert gradient.item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-6)


def test_second_order_takes_eager_attention_and_says_so(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    learner._body.attention = "sdpa"
    said = MAML(order=2).prepare(learner)
    assert said == "attention: eager, since second order differentiates it twice"
    assert learner.resolved()["compute"]["attention"] == "eager"
    support, query = ready(learner, attribute_episodes(1))
    losses = MAML(order=2).meta_step(learner, support, query).losses
    assert torch.autograd.grad(losses.sum(), list(learner.adapter().values()))


def test_second_order_refuses_sdpa(make_learner: LearnerMaker) -> None:
    with pytest.raises(InputError) as error:
        MAML(order=2).prepare(make_learner(compute=Compute(attention="sdpa")))
    assert str(error.value) == (
        "second order needs an attention that can be differentiated twice\n"
        "  where:  model.compute.attention\n"
        "  got:    sdpa\n"
        "  needed: 'eager' or 'auto' with algorithm.order 2\n"
        "  do:     set model.compute.attention to auto, or algorithm.order to 1"
    )

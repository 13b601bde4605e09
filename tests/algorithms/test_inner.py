"""The pieces of the inner loop on problems that are worked out by hand."""

import math

import pytest
import torch
from algorithms.regression import Regressor, linear_tasks, tasks_of
from conftest import attribute_episodes
from torch import Tensor, nn

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.anil import ANIL
from fewshot.algorithms.inner import SupportLoss, Trace, adam, moments
from fewshot.models.batch import TaskBatch
from fewshot.models.lstm import LstmEncoder
from fewshot.models.stack import Stack


def directions(gradients: list[list[Tensor]]) -> list[list[Tensor]]:
    """What Adam makes of the gradients of two tensors, step after step."""
    state, found = Stack(moments(Stack({"a": gradients[0][0], "b": gradients[0][1]}))), []
    for number, each in enumerate(gradients):
        made, after = adam(["a", "b"], each, state, number)
        assert set(after) == {"first:a", "second:a", "first:b", "second:b"}
        state = Stack(after)
        found.append(made)
    return found


def test_adam_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [
        [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((2, 3), (4,))]
        for _ in range(5)
    ]
    parameters = [nn.Parameter(torch.zeros_like(each)) for each in drawn[0]]
    theirs = torch.optim.Adam(parameters, lr=0.5, betas=(0.9, 0.999), eps=1e-8)
    ours = [torch.zeros_like(each) for each in drawn[0]]
    for gradients, made in zip(drawn, directions(drawn), strict=True):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        theirs.step()
        ours = [value - 0.5 * each for value, each in zip(ours, made, strict=True)]
        for mine, other in zip(ours, parameters, strict=True):
            assert torch.allclose(mine, other.detach(), rtol=1e-7, atol=0)


def test_the_first_direction_of_adam_is_the_sign_and_smoothly_0_at_0() -> None:
    gradient = torch.tensor([3.0, -1e-3, 0.0], dtype=torch.float64, requires_grad=True)
    ((made, _),) = directions([[gradient, gradient.detach()]])
    assert made.tolist() == pytest.approx([1, -1, 0], abs=1e-9)
    (slope,) = torch.autograd.grad(made.sum(), gradient)
    assert slope[2] == pytest.approx(1e8)  # 1 / epsilon
    # a gradient as large as epsilon: g / sqrt(g^2 + epsilon^2)
    (((small, _)),) = directions([[torch.tensor([1e-8], dtype=torch.float64)] * 2])
    assert small.item() == pytest.approx(1 / math.sqrt(2))


def test_adam_wants_a_gradient_for_every_name() -> None:
    state = Stack(moments(Stack({"a": torch.zeros(1), "b": torch.zeros(1)})))
    with pytest.raises(ValueError, match="zip"):
        adam(["a", "b"], [torch.zeros(1)], state, 0)


def test_moments_begin_at_zero() -> None:
    tensors = {"a": torch.ones(2, 3, dtype=torch.float64), "b": torch.ones(1)}
    found = moments(Stack(tensors))
    assert list(found) == ["first:a", "first:b", "second:a", "second:b"]
    for name, value in found.items():
        like = tensors[name.split(":")[1]]
        assert (value.shape, value.dtype, bool(value.any())) == (like.shape, like.dtype, False)


@pytest.mark.parametrize(
    ("losses", "place"),
    [
        ([], None),
        ([[1.0, 2.0], [0.0, 3.0]], None),
        ([[1.0, 2.0, 0.0], [0.0, 3.0, math.nan], [math.nan] * 3], (1, 2)),
        ([[math.inf, math.nan]], (0, 0)),
        ([[0.0, -math.inf]], (0, 1)),
    ],
)
def test_the_first_loss_that_is_not_finite(losses: list[list[float]], place: tuple[int, int] | None) -> None:
    assert Trace([torch.tensor(each) for each in losses]).first_not_finite() == place


def start_of(learner: Regressor, support: TaskBatch) -> Stack:
    return Stack({name: value.detach().requires_grad_() for name, value in learner.start(support).items()})


def test_the_penalty_is_half_lambda_times_the_squared_distance() -> None:
    learner, (support, _) = Regressor(4, 5, 1).double(), linear_tasks()
    start = start_of(learner, support)
    names = ["w0", "b0"]
    moved = Stack({name: start[name] + 1 for name in names})
    plain, held = (SupportLoss(learner, support, start, names, anchor) for anchor in (0.0, 0.5))
    assert torch.equal(SupportLoss(learner, support, start, names)(moved), plain(moved))
    # 5 * 4 weights and 5 biases have moved by 1, in each task
    assert torch.allclose(held(moved) - plain(moved), torch.full((3,), 0.25 * 25, dtype=torch.float64))
    still = start.part(names)
    assert torch.equal(held(still), plain(still))


def test_what_does_not_move_stays_as_it_starts() -> None:
    learner, (support, _) = Regressor(4, 5, 1).double(), linear_tasks()
    start = start_of(learner, support)
    loss = SupportLoss(learner, support, start, ["b1", "w0"])
    assert loss.moved == ["w0", "b1"]  # in the order of the stack
    moved = Stack({"w0": start["w0"] * 2, "b1": start["b1"] + 1})
    whole = dict(loss.whole(moved).items())
    assert set(whole) == {"w0", "b0", "w1", "b1"}
    for name in ("w0", "b1"):
        assert whole[name] is moved[name]
    for name in ("b0", "w1"):
        assert torch.equal(whole[name], start[name])
    expected = learner.losses(learner.logits(Stack(whole), support), support)
    assert torch.equal(loss(moved), expected)


@pytest.mark.parametrize("first_order", [True, False])
def test_in_first_order_nothing_beside_what_moves_has_a_graph(first_order: bool) -> None:
    learner, (support, _) = Regressor(4, 5, 1).double(), linear_tasks()
    start = start_of(learner, support)
    loss = SupportLoss(learner, support, start, ["w0"], 0.5, first_order)
    moved = Stack({"w0": start["w0"].detach().requires_grad_()})
    found = torch.autograd.grad(loss(moved).sum(), [moved["w0"], start["w0"], start["w1"]], allow_unused=True)
    assert [each is not None for each in found] == [True, not first_order, not first_order]
    assert loss.depends_on[-1].requires_grad is not first_order


def test_first_order_is_the_default() -> None:
    learner, (support, _) = Regressor(4, 1).double(), linear_tasks()
    loss = SupportLoss(learner, support, start_of(learner, support), ["w0"])
    assert not loss.start["w0"].requires_grad
    assert loss.anchor == 0


class Counted(LstmEncoder):
    """Counts how often features are computed, and whether with a graph."""

    def __init__(self) -> None:
        super().__init__(2, 3, 4, 5, head="per_class", head_ways=2)
        self.calls: list[bool] = []

    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        self.calls.append(torch.is_grad_enabled())
        return super().features(stack, batch)


@pytest.mark.parametrize("first_order", [True, False])
@pytest.mark.parametrize(
    ("names", "calls"), [(("head.weight", "head.bias"), 1), (("head.bias",), 1), (("dense.bias",), 3)]
)
def test_features_that_stay_the_same_are_computed_once(
    names: tuple[str, ...], calls: int, first_order: bool
) -> None:
    learner = Counted()
    support, _ = ready(learner, attribute_episodes(2, way=2))
    start = learner.start(support)
    learner.calls.clear()
    loss = SupportLoss(learner, support, start, names, first_order=first_order)
    moved = start.part(names)
    for _ in range(3):
        found = loss(moved)
    assert len(learner.calls) == calls
    if calls == 1:
        assert learner.calls == [not first_order]
    assert torch.allclose(found, learner.losses(learner.logits(start, support), support))


@pytest.mark.parametrize("first_order", [True, False])
def test_features_of_a_first_order_path_have_no_graph(first_order: bool) -> None:
    learner, algorithm = Counted(), ANIL(inner_steps=3)
    algorithm.prepare(learner)
    support, _ = ready(learner, attribute_episodes(2, way=2))
    start = learner.start(support)
    learner.calls.clear()
    list(algorithm.path(learner, start, support, first_order))
    assert learner.calls == [not first_order]


def test_each_task_has_a_loss_of_its_own() -> None:
    """Two linear tasks of two points: mean squared errors by hand."""
    inputs = torch.tensor([[[1.0], [2.0]], [[1.0], [3.0]]])
    support = tasks_of(inputs, torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    learner = Regressor(1, 1)
    start = Stack({"w0": torch.full((2, 1, 1), 2.0)})
    loss = SupportLoss(learner, support, start, ["w0"])
    assert loss(start).tolist() == [(1 + 4) / 2, (4 + 36) / 2]

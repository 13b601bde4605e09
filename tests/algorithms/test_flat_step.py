"""A step that is taken again in the backward pass, on one that is worked out by hand."""

import pytest
import torch
from torch import Tensor, nn

from fewshot.algorithms.flat import flat_step
from fewshot.models.stack import Stack


class Quartic:
    """w <- w - rate * w^3 of each task, the step on the loss w^4 / 4; beside it u <- 2 u."""

    def __init__(self, rate: Tensor) -> None:
        self.rate, self.calls = rate, list[bool]()

    def __call__(self, stack: Stack, first_order: bool) -> Stack:
        self.calls.append(first_order)
        weight = stack["w"]
        (gradient,) = torch.autograd.grad(
            (weight**4 / 4).sum(), [weight], create_graph=not first_order, retain_graph=True
        )
        return Stack({"u": 2 * stack["u"], "w": weight - self.rate * gradient, "more": weight})


def begun() -> tuple[Stack, nn.Parameter, Quartic]:
    values = {"w": [1.0, 2.0], "u": [3.0, 4.0]}
    stack = Stack({name: torch.tensor(each, requires_grad=True) for name, each in values.items()})
    rate = nn.Parameter(torch.tensor(0.1))
    return stack, rate, Quartic(rate)


def test_it_takes_the_step() -> None:
    stack, rate, step = begun()
    after = flat_step(step, stack, [rate])
    assert [name for name, _ in after.items()] == ["w", "u"]
    assert after["w"].tolist() == pytest.approx([0.9, 1.2])
    assert after["u"].tolist() == [6, 8]
    assert step.calls == [True]


def test_its_gradient_goes_through_that_of_the_step() -> None:
    stack, rate, step = begun()
    after = flat_step(step, stack, [rate])
    loss = (after["w"] * torch.tensor([1.0, 10.0])).sum() + after["u"].sum()
    found = torch.autograd.grad(loss, [stack["w"], stack["u"], rate])
    assert step.calls == [True, False]
    # d w' / d w = 1 - 3 rate w^2, d w' / d rate = - w^3
    assert found[0].tolist() == pytest.approx([0.7, 10 * (1 - 1.2)])
    assert found[1].tolist() == [2, 2]
    assert found[2].item() == pytest.approx(-1 - 10 * 8)


def test_steps_in_a_row_have_the_gradient_of_plain_ones() -> None:
    stack, rate, step = begun()
    flat, plain = stack, stack
    for _ in range(3):
        flat, plain = flat_step(step, flat, [rate]), step(plain, False).without(["more"])
    wanted = [stack["w"], stack["u"], rate]
    ours, theirs = (
        torch.autograd.grad((each["w"].sin() + each["u"]).sum(), wanted) for each in (flat, plain)
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other)


def test_parameters_that_are_frozen_or_not_read_have_no_gradient() -> None:
    stack, rate, step = begun()
    rate.requires_grad_(False)
    unread = nn.Parameter(torch.ones(1))
    after = flat_step(step, stack, [rate, unread])
    found = torch.autograd.grad(after["w"].sum(), [stack["w"], unread], allow_unused=True)
    assert found[0].tolist() == pytest.approx([0.7, -0.2])
    assert found[1] is None


def test_what_needs_no_gradient_is_stepped_too() -> None:
    _, rate, step = begun()
    stack = Stack({"w": torch.tensor([1.0]), "u": torch.tensor([3.0])})
    with torch.no_grad():
        after = flat_step(step, stack, [rate])
    assert after["w"].tolist() == pytest.approx([0.9])
    assert not after["w"].requires_grad


def test_it_is_differentiated_once() -> None:
    stack, rate, step = begun()
    loss = flat_step(step, stack, [rate])["w"].square().sum()
    (first,) = torch.autograd.grad(loss, [stack["w"]], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(first.sum())

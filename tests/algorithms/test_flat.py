import gc
import weakref
from collections.abc import Sequence

import pytest
import torch
from conftest import LearnerMaker, attribute_episodes
from torch import Tensor

from fewshot.algorithms import maml
from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.flat import Step
from fewshot.algorithms.maml import MAML
from fewshot.models.encoder import LoraEncoder
from fewshot.models.stack import Stack
from fewshot.tasks.episode import Episode


def plain_step(step: Step, stack: Stack, parameters: Sequence[Tensor]) -> Stack:
    """The step as it is usually taken: all of it stays in the graph."""
    return step(stack, False)


def second_order(learner: LoraEncoder, steps: int, learn_inner_lr: bool = True) -> MAML:
    algorithm = MAML(order=2, inner_steps=steps, inner_lr=0.2, learn_inner_lr=learn_inner_lr)
    algorithm.prepare(learner)
    return algorithm.double()


def meta_parameters(learner: LoraEncoder, algorithm: MAML) -> dict[str, Tensor]:
    head = {f"head.{name}": value for name, value in learner.head.named_parameters()}
    return {**learner.adapter(), **head, **dict(algorithm.named_parameters())}


def meta_gradient(learner: LoraEncoder, algorithm: MAML, drawn: list[Episode]) -> dict[str, Tensor]:
    support, query = ready(learner, drawn)
    loss = algorithm.meta_step(learner, support, query).losses.sum()
    parameters = meta_parameters(learner, algorithm)
    return dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))


@pytest.mark.parametrize("head", ["prototype", "shared", "per_class"])
def test_the_meta_gradient_is_that_of_plain_steps(
    head: str, make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner(head=head).double()
    algorithm, drawn = second_order(learner, steps=3), attribute_episodes(2)
    flat = meta_gradient(learner, algorithm, drawn)
    monkeypatch.setattr(maml, "flat_step", plain_step)
    plain = meta_gradient(learner, algorithm, drawn)
    names = list(flat)
    assert any(name.startswith("log_rates") for name in names)
    assert "head.log_scale" in names
    for name in names:
        assert float((flat[name] - plain[name]).norm()) <= 1e-10 * float(plain[name].norm()), name
    # a tensor whose gradient is 0 would be compared with nothing
    assert all(bool(plain[name].abs().max() > 0) for name in names)


def test_with_rates_that_are_not_learned_too(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner().double()
    algorithm, drawn = second_order(learner, steps=3, learn_inner_lr=False), attribute_episodes(2)
    flat = meta_gradient(learner, algorithm, drawn)
    monkeypatch.setattr(maml, "flat_step", plain_step)
    plain = meta_gradient(learner, algorithm, drawn)
    for name, value in plain.items():
        assert float((flat[name] - value).norm()) <= 1e-10 * float(value.norm()), name


def test_flat_steps_lose_nothing_of_the_second_order(make_learner: LearnerMaker) -> None:
    learner, drawn = make_learner().double(), attribute_episodes(2)
    second = second_order(learner, steps=3)
    first = MAML(order=1, inner_steps=3, inner_lr=0.2)
    first.prepare(learner)
    ours, theirs = (meta_gradient(learner, each.double(), drawn) for each in (second, first))
    assert any(not torch.allclose(ours[name], theirs[name], rtol=1e-3) for name in learner.adapter())


class Saved:
    """A tensor that autograd keeps for the backward pass."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def saved_bytes(learner: LoraEncoder, steps: int, drawn: list[Episode]) -> int:
    """What a meta-step holds when the forward pass is over: storages that its graph saves, each once."""
    algorithm = second_order(learner, steps)
    support, query = ready(learner, drawn)
    kept: weakref.WeakSet[Saved] = weakref.WeakSet()

    def pack(tensor: Tensor) -> Saved:
        saved = Saved(tensor)
        kept.add(saved)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        step = algorithm.meta_step(learner, support, query)
    gc.collect()
    storages = {s.tensor.untyped_storage().data_ptr(): s.tensor.untyped_storage().nbytes() for s in kept}
    assert step.losses.requires_grad  # the graph is alive until here
    return sum(storages.values())


def test_what_is_saved_grows_by_a_stack_a_step(
    make_learner: LearnerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, drawn = make_learner().double(), attribute_episodes(2, shot=5)
    support, _ = ready(learner, drawn)
    stack = sum(tensor.numel() * tensor.element_size() for _, tensor in learner.start(support).items())
    one, eight = (saved_bytes(learner, steps, drawn) for steps in (1, 8))
    assert 0 < eight - one <= 7.5 * stack
    monkeypatch.setattr(maml, "flat_step", plain_step)
    one, eight = (saved_bytes(learner, steps, drawn) for steps in (1, 8))
    assert eight > 3 * one
    assert eight - one > 10 * 7 * stack


def test_a_frozen_parameter_beside_the_stack_is_left_alone(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    learner.head.log_scale.requires_grad_(False)
    support, query = ready(learner, attribute_episodes(1))
    losses = MAML(order=2, inner_steps=2, learn_inner_lr=False).meta_step(learner, support, query).losses
    assert torch.autograd.grad(losses.sum(), list(learner.adapter().values()))

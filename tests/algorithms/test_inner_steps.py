"""MAML's inner steps on small regressions, against gradient descent and torch's Adam task by task."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from algorithms.regression import Regressor, linear_tasks, tasks_of
from torch import Tensor, nn

from fewshot.algorithms import maml
from fewshot.algorithms.algorithm import Adapted
from fewshot.algorithms.inner import Trace
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.mamlplusplus import MAMLPlusPlus
from fewshot.models.batch import TaskBatch
from fewshot.models.stack import Stack

STEPS, RATE = 3, 0.0625  # the rate is the same number in single and in double precision


def made(**changes: Any) -> tuple[Regressor, MAML]:
    learner = Regressor(4, 5, 1, seed=1).double()
    algorithm = MAML(**({"inner_steps": STEPS, "inner_lr": RATE} | changes))
    algorithm.prepare(learner)
    return learner, algorithm.double()


class OneTask(nn.Module):
    """The regressor of one task alone."""

    def __init__(self, learner: Regressor) -> None:
        super().__init__()
        self.values = nn.ParameterDict({n: nn.Parameter(v.clone()) for n, v in learner.layers.items()})

    def loss(self, batch: TaskBatch, task: int) -> Tensor:
        own = batch.task == task
        hidden = torch.relu(batch.inputs[own] @ self.values["w0"].T + self.values["b0"])
        given = hidden @ self.values["w1"].T + self.values["b1"]
        error: Tensor = (given[:, 0] - batch.labels[own]).square().mean()
        return error


def alone(learner: Regressor, support: TaskBatch, task: int, kind: str) -> list[OneTask]:
    """The task's models before the first step and after each, by torch's own optimiser."""
    path, optimisers = [OneTask(learner)], {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    model = OneTask(learner)
    optimiser = optimisers[kind](model.parameters(), lr=RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        torch.autograd.backward(model.loss(support, task))
        optimiser.step()
        after = OneTask(learner)
        after.load_state_dict(model.state_dict())
        path.append(after)
    return path


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("first_order", [True, False])
def test_every_step_is_that_of_torch_task_by_task(kind: str, learned: bool, first_order: bool) -> None:
    learner, algorithm = made(inner_optimiser=kind, learn_inner_lr=learned)
    support, _ = linear_tasks()
    trace = Trace()
    path = list(algorithm.path(learner, learner.start(support), support, first_order, trace))
    assert len(path) == STEPS + 1
    assert len(trace.losses) == STEPS
    for task in range(support.tasks):
        theirs = alone(learner, support, task, kind)
        for ours, model in zip(path, theirs, strict=True):
            assert [name for name, _ in ours.items()] == list(learner.layers)  # nothing of the optimiser
            for name, value in model.values.items():
                # torch adds epsilon to the root, not below it
                assert torch.allclose(ours[name][task], value, rtol=1e-5, atol=1e-5), name
        for losses, model in zip(trace.losses, theirs[:-1], strict=True):
            assert not losses.requires_grad
            assert losses[task].item() == pytest.approx(model.loss(support, task).item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("order", [1, 2])
def test_the_meta_step_is_what_the_adapted_models_say_of_the_queries(kind: str, order: int) -> None:
    learner, algorithm = made(inner_optimiser=kind, order=order)
    support, query = linear_tasks()
    step = algorithm.meta_step(learner, support, query)
    expected = [alone(learner, support, task, kind)[-1].loss(query, task).item() for task in range(3)]
    assert step.losses.tolist() == pytest.approx(expected, rel=1e-6)
    assert torch.allclose(learner.losses(step.scores, query), step.losses)
    assert step.losses.requires_grad
    assert not step.scores.requires_grad
    assert step.surrogate is None
    assert [losses.shape for losses in step.trace.losses] == [(3,)] * STEPS


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_only_the_second_order_goes_through_the_inner_gradients(kind: str) -> None:
    """In first order the meta-gradient is the query gradient at the adapted weights."""
    found = {}
    for order in (1, 2):
        learner, algorithm = made(inner_optimiser=kind, order=order)
        support, query = linear_tasks()
        loss = algorithm.meta_step(learner, support, query).losses.sum()
        (found[order],) = torch.autograd.grad(loss, [learner.layers["w0"]])
    expected = torch.zeros_like(found[1])
    for task in range(3):
        last = alone(learner, support, task, kind)[-1]
        expected += torch.autograd.grad(last.loss(query, task), [last.values["w0"]])[0]
    assert torch.allclose(found[1], expected, rtol=1e-5)
    assert not torch.allclose(found[2], expected, rtol=1e-2)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("order", [1, 2])
def test_learned_rates_have_a_gradient_in_either_order(kind: str, order: int) -> None:
    learner, algorithm = made(inner_optimiser=kind, order=order)
    support, query = linear_tasks()
    step = algorithm.meta_step(learner, support, query)
    gradients = torch.autograd.grad(step.losses.sum(), list(algorithm.log_rates.values()))
    assert all(bool(gradient != 0) for gradient in gradients)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("first_order", [True, False])
def test_every_step_has_its_own_rate_where_they_are_learned_so(kind: Any, first_order: bool) -> None:
    """Only the second of three steps has a rate that is more than nothing."""
    learner = Regressor(4, 1).double()
    algorithm = MAMLPlusPlus(inner_steps=3, inner_lr=RATE, inner_optimiser=kind)
    algorithm.prepare(learner)
    with torch.no_grad():
        algorithm.log_rates["w0"].copy_(torch.tensor([-torch.inf, math.log(RATE), -torch.inf]))
    support, _ = linear_tasks()
    path = [stack["w0"] for stack in algorithm.path(learner, learner.start(support), support, first_order)]
    changed = [not torch.equal(one, next_) for one, next_ in pairwise(path)]
    assert changed == [False, True, False]


@pytest.mark.parametrize("order", [1, 2])
def test_without_steps_it_stays_at_the_start(order: int) -> None:
    learner, algorithm = made(inner_steps=0, order=order)
    support, query = linear_tasks()
    step = algorithm.meta_step(learner, support, query)
    expected = learner.losses(learner.logits(learner.start(support), query), query)
    assert torch.equal(step.losses, expected)
    assert step.trace.losses == []


def test_the_course_leads_from_before_to_adapted() -> None:
    learner, algorithm = made()
    support, query = linear_tasks()
    course = list(algorithm.course(learner, support))
    assert len(course) == STEPS + 1
    scores = [predictor(query) for predictor in course]
    assert torch.equal(scores[0], algorithm.before(learner, support)(query))
    assert torch.equal(scores[-1], algorithm.adapt(learner, support)(query))
    for predictor in [*course, algorithm.before(learner, support), algorithm.adapt(learner, support)]:
        assert isinstance(predictor, Adapted)
        assert predictor.learner is learner
    for predictor in [*course[1:], algorithm.adapt(learner, support)]:
        assert isinstance(predictor, Adapted)
        assert not any(value.requires_grad for _, value in predictor.stack.items())
    for task in range(support.tasks):
        for ours, model in zip(scores, alone(learner, support, task, "sgd"), strict=True):
            assert learner.losses(ours, query)[task].item() == pytest.approx(model.loss(query, task).item())


def test_adapting_takes_no_second_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of the training: a model that is only used needs none."""
    learner, algorithm = made(order=2)
    support, query = linear_tasks()

    def refused(*given: object) -> Stack:
        raise AssertionError("a step to be differentiated")

    monkeypatch.setattr(maml, "flat_step", refused)
    algorithm.adapt(learner, support)
    list(algorithm.course(learner, support))
    with pytest.raises(AssertionError, match="to be differentiated"):
        algorithm.meta_step(learner, support, query)


def test_what_does_not_adapt_has_a_course_of_one() -> None:
    learner, algorithm = made()
    support, query = linear_tasks()
    algorithm.adapts = False
    (only,) = algorithm.course(learner, support)
    assert torch.equal(only(query), algorithm.adapt(learner, support)(query))


def test_before_and_adapt_keep_no_graph() -> None:
    learner, algorithm = made()
    support, _ = linear_tasks()
    before = algorithm.before(learner, support)
    assert isinstance(before, Adapted)
    assert all(value.grad_fn is None for _, value in before.stack.items())
    assert all(parameter.grad is None for parameter in learner.parameters())


def test_tensors_that_hold_no_gradient_are_moved_too() -> None:
    """As where the start was taken without a graph; those of the graph are left in it."""
    learner, algorithm = made(inner_optimiser="adam")
    (support, _), plain = linear_tasks(), Stack({"w": torch.ones(2, 3)})
    begun = algorithm._begin(plain)
    assert begun["w"].requires_grad
    assert begun["w"].is_leaf
    assert not plain["w"].requires_grad
    assert [name for name, _ in begun.items()] == ["w", "first:w", "second:w"]
    start = learner.start(support)
    assert algorithm._begin(start)["w0"] is start["w0"]
    assert [name for name, _ in MAML()._begin(plain).items()] == ["w"]


def test_the_penalty_of_the_first_order_pulls_back_by_hand() -> None:
    """One weight: w <- w - rate * (gradient + lambda * (w - w0))."""
    support = tasks_of(torch.tensor([[[1.0], [1.0]]]), torch.tensor([[0.0, 0.0]]))
    learner = Regressor(1, 1)
    with torch.no_grad():
        learner.layers["w0"].fill_(1.0)
    algorithm = MAML(inner_steps=2, inner_lr=0.25, learn_inner_lr=False, anchor=0.5)
    path = algorithm.path(learner, learner.start(support), support, first_order=True)
    assert [stack["w0"].item() for stack in path] == pytest.approx([1, 0.5, 0.5 - 0.25 * (1 - 0.25)])

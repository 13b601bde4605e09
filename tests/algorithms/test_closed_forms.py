"""Meta-gradients against closed forms: linear regression, where the Hessian is a constant."""

import pytest
import torch
from algorithms.regression import Regressor, linear_tasks
from torch import Tensor

from fewshot.algorithms.imaml import IMAML
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.reptile import Reptile
from fewshot.models.batch import TaskBatch

RATE, STEPS = 0.05, 4


def problem(batch: TaskBatch, task: int) -> tuple[Tensor, Tensor]:
    """H and b of the task's loss 1/2 w H w - b w + const."""
    mine: Tensor = batch.task == task
    inputs: Tensor = batch.inputs[mine]
    targets: Tensor = batch.labels[mine]
    factor = 2 / len(targets)
    hessian: Tensor = factor * (inputs.T @ inputs)
    level: Tensor = factor * (inputs.T @ targets)
    return hessian, level


def outer_gradient(algorithm: MAML, learner: Regressor, support: TaskBatch, query: TaskBatch) -> Tensor:
    step = algorithm.meta_step(learner, support, query)
    torch.autograd.backward((step.losses if step.surrogate is None else step.surrogate).sum())
    grad: Tensor | None = learner.layers["w0"].grad
    assert grad is not None
    return grad[0]


@pytest.mark.parametrize("anchor", [0.0, 0.7])
@pytest.mark.parametrize("order", [1, 2])
def test_maml(order: int, anchor: float) -> None:
    support, query = linear_tasks()
    learner = Regressor(4, 1).double()
    start = learner.layers["w0"].detach()[0]
    expected = torch.zeros_like(start)
    eye = torch.eye(4, dtype=torch.float64)
    for task in range(support.tasks):
        (hessian, level), (query_hessian, query_level) = (problem(each, task) for each in (support, query))
        weight, jacobian = start, eye
        for _ in range(STEPS):
            weight = weight - RATE * (hessian @ weight - level + anchor * (weight - start))
            jacobian = (eye - RATE * (hessian + anchor * eye)) @ jacobian + RATE * anchor * eye
        gradient = query_hessian @ weight - query_level
        expected += jacobian.T @ gradient if order == 2 else gradient
    algorithm = MAML(order, STEPS, RATE, learn_inner_lr=False, anchor=anchor)
    assert torch.allclose(outer_gradient(algorithm, learner, support, query), expected, atol=1e-10)


def test_reptile_goes_to_where_the_inner_loop_ended() -> None:
    support, query = linear_tasks()
    learner = Regressor(4, 1).double()
    start = learner.layers["w0"].detach()[0]
    expected = torch.zeros_like(start)
    for task in range(support.tasks):
        hessian, level = problem(support, task)
        weight = start
        for _ in range(STEPS):
            weight = weight - RATE * (hessian @ weight - level)
        expected += start - weight
    found = outer_gradient(Reptile(STEPS, RATE), learner, support, query)
    assert torch.allclose(found, expected, atol=1e-10)


def test_imaml_differentiates_the_regularised_optimum() -> None:
    support, query = linear_tasks()
    learner = Regressor(4, 1).double()
    start, anchor = learner.layers["w0"].detach()[0], 1.5
    expected = torch.zeros_like(start)
    eye = torch.eye(4, dtype=torch.float64)
    for task in range(support.tasks):
        (hessian, level), (query_hessian, query_level) = (problem(each, task) for each in (support, query))
        optimum = torch.linalg.solve(hessian + anchor * eye, level + anchor * start)
        gradient = query_hessian @ optimum - query_level
        expected += torch.linalg.solve(eye + hessian / anchor, gradient)
    algorithm = IMAML(inner_steps=400, inner_lr=0.1, anchor=anchor, cg_steps=4)
    assert torch.allclose(outer_gradient(algorithm, learner, support, query), expected, atol=1e-8)


def test_imaml_keeps_no_more_of_the_graph_for_more_steps() -> None:
    learner = Regressor(4, 1).double()
    support, query = linear_tasks()
    kept = []
    for steps in (2, 40):
        surrogate = IMAML(inner_steps=steps).meta_step(learner, support, query).surrogate
        assert surrogate is not None
        seen, waiting = set(), [surrogate.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is not None and node not in seen:
                seen.add(node)
                waiting += [parent for parent, _ in node.next_functions]
        kept.append(len(seen))
    assert kept[0] == kept[1] > 1


def test_adam_is_that_of_torch() -> None:
    support, _ = linear_tasks(tasks=1)
    learner = Regressor(4, 1).double()
    algorithm = MAML(1, 6, 0.03, learn_inner_lr=False, inner_optimiser="adam")
    *_, last = algorithm.path(learner, learner.start(support), support, first_order=True)
    weight = torch.nn.Parameter(learner.layers["w0"].detach().clone())
    optimiser = torch.optim.Adam([weight], lr=0.03)
    for _ in range(6):
        optimiser.zero_grad()
        (support.inputs @ weight[0] - support.labels).square().mean().backward()
        optimiser.step()
    assert torch.allclose(last["w0"][0], weight, atol=1e-7)

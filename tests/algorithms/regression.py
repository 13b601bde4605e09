"""Regression with an MLP on the task axis: where the meta-gradients have closed forms."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from fewshot.models.batch import Rows, TaskBatch
from fewshot.models.heads import Head
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class NoHead(Head):
    """The last layer belongs to the adapter."""

    names: tuple[str, ...] = ()

    def weight(self, features: Tensor | None, support: TaskBatch) -> Tensor:
        raise NotImplementedError

    def start(self, features: Tensor | None, support: TaskBatch) -> dict[str, Tensor]:
        return {}


class Regressor(Learner):
    """Layers of these widths with ReLU between them, mean squared error; bias-free where it is one layer."""

    def __init__(self, *widths: int, seed: int = 0) -> None:
        super().__init__()
        self.head = NoHead(1, 1.0)
        self.depth = len(widths) - 1
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ParameterDict()
        for number in range(self.depth):
            shape = (widths[number + 1], widths[number])
            weight = torch.randn(shape, generator=generator) * (2 / shape[1]) ** 0.5
            self.layers[f"w{number}"] = nn.Parameter(weight)
            if self.depth > 1:
                self.layers[f"b{number}"] = nn.Parameter(torch.zeros(shape[0]))

    def adapter(self) -> Mapping[str, nn.Parameter]:
        return dict(self.layers.items())

    def fresh_adapter(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.layers.items()}

    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        values: Tensor = batch.inputs.view(batch.tasks, -1, batch.inputs.shape[-1])
        for number in range(self.depth):
            values = values @ stack[f"w{number}"].mT
            if self.depth > 1:
                values = values + stack[f"b{number}"][:, None]
            if number + 1 < self.depth:
                values = torch.relu(values)
        return values.reshape(len(batch.inputs), -1)

    def logits(self, stack: Stack, batch: TaskBatch) -> Tensor:
        return self.features(stack, batch)

    def losses(self, scores: Tensor, batch: TaskBatch) -> Tensor:
        return batch.mean_by_task((scores[:, 0] - batch.labels).square())

    def batch(self, rows: Rows) -> TaskBatch:
        raise NotImplementedError

    def save_adapter(self, folder: Path) -> None:
        raise NotImplementedError

    def load_adapter(self, folder: Path) -> None:
        raise NotImplementedError


def tasks_of(inputs: Tensor, targets: Tensor) -> TaskBatch:
    """T tasks of n points: inputs (T, n, d), targets (T, n)."""
    tasks, points = targets.shape
    return TaskBatch(
        inputs=inputs.reshape(tasks * points, -1),
        labels=targets.reshape(-1),
        task=torch.arange(tasks).repeat_interleave(points),
        ways=(1,) * tasks,
    )


def linear_tasks(tasks: int = 3, points: int = 6, width: int = 4) -> tuple[TaskBatch, TaskBatch]:
    """Support and query of random linear problems, in double precision."""
    generator = torch.Generator().manual_seed(3)

    def draw() -> TaskBatch:
        inputs = torch.randn(tasks, points, width, generator=generator, dtype=torch.float64)
        return tasks_of(inputs, torch.randn(tasks, points, generator=generator, dtype=torch.float64))

    return draw(), draw()


def sinusoids(tasks: int, points: int, generator: torch.Generator) -> tuple[TaskBatch, TaskBatch]:
    """Amplitude 0.1 to 5, phase 0 to pi, inputs -5 to 5: Finn et al. 2017, section 5.1."""
    amplitude = 0.1 + 4.9 * torch.rand(tasks, 1, generator=generator)
    phase = torch.pi * torch.rand(tasks, 1, generator=generator)

    def draw() -> TaskBatch:
        inputs = 10 * torch.rand(tasks, points, generator=generator) - 5
        return tasks_of(inputs[..., None], amplitude * torch.sin(inputs - phase))

    return draw(), draw()

"""One adapted task, and what it answers."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from fewshot.algorithms.algorithm import Adapted
from fewshot.classify.examples import Labelled, labelled
from fewshot.classify.learned import Learned, learned
from fewshot.errors import InputError
from fewshot.models.batch import Rows, TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.remembered import Remembered
from fewshot.models.stack import Stack

AT_ONCE = 64  # texts
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AdaptedTask:
    """What was learned from labelled examples.

    Args:
        support: the examples.
        tensors: adapter and head of the task by the names of the stack, without a task axis.
        features: unit-length features of the examples, (n, H); None where the model has no space.
        seconds: that learning took.
        writes: whether the labels are answers, and further texts are to be answered by writing.
    """

    support: Labelled
    tensors: Mapping[str, Tensor]
    features: Tensor | None
    seconds: float = 0.0
    writes: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the scores."""
        return self.support.classes

    def __getstate__(self) -> dict[str, Any]:
        """For pickles: tensors as safetensors, whose reading runs nothing (torch's go by `torch.load`)."""
        tensors = {f"task/{name}": value for name, value in self.tensors.items()}
        tensors |= {} if self.features is None else {"features": self.features}
        content = safetensors.torch.save({name: value.contiguous() for name, value in tensors.items()})
        facts = {"support": self.support, "seconds": self.seconds, "writes": self.writes}
        return facts | {"tensors": content}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes what `__getstate__` gave."""
        found = safetensors.torch.load(state["tensors"])
        features = found.pop("features", None)
        tensors = {name.removeprefix("task/"): value for name, value in found.items()}
        for name, value in (state | {"tensors": tensors, "features": features}).items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Answers:
    """What R texts were answered.

    Args:
        probabilities: of the classes, (R, N).
        distances: one minus the cosine to each support example, (R, n) between 0 and 2; None where the model
            has no space.
    """

    probabilities: Floats
    distances: Floats | None

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The number of the most probable class, (R,)."""
        found: npt.NDArray[np.int64] = self.probabilities.argmax(1)
        return found

    def nearest(self, count: int) -> npt.NDArray[np.int64]:
        """The numbers of the nearest support examples, (R, count), the nearest first."""
        if self.distances is None:
            raise InputError(
                "this model knows no distances: it scores the class names", needed="a run of LoraEncoder"
            )
        found: npt.NDArray[np.int64] = np.argsort(self.distances, 1, kind="stable")[:, :count]
        return found


def adapt(texts: Sequence[str], labels: Sequence[object], run: str | None = None) -> AdaptedTask:
    """Learns a task from labelled examples.

    Args:
        texts: n texts.
        labels: their classes, at least two in all.
        run: the directory of a meta-trained run; by default the one that comes with the package.

    Raises:
        InputError: examples or a run that cannot be used.
    """
    return adapted(learned(run), labelled(texts, labels))


def adapted(meta: Learned, support: Labelled, writes: bool = False) -> AdaptedTask:
    """Learns a task from examples that were checked.

    Args:
        meta: the run.
        support: the examples.
        writes: the labels are answers to be written, and no classes.

    Raises:
        InputError: a method that keeps no adapter of a task, such as in-context learning; a run that cannot
            write, or that was trained to write where classes are asked for.
    """
    _check_kind(meta, writes)
    started = time.perf_counter()
    with meta.lock:
        # computed once for the head and for the distances, where there is no adapter of the task's own
        shared = meta.algorithm.shares_body and meta.model.has_space
        model = Remembered(meta.model) if shared else meta.model
        batch = _support_batch(model, support, writes)
        predictor = meta.algorithm.adapt(model, batch)
        if not isinstance(predictor, Adapted):
            raise InputError(
                "this run keeps nothing of a task that could be stored",
                where=meta.folder,
                got=type(meta.algorithm).__name__,
                needed="a method that adapts an adapter or a head, such as MAML or ProtoNet",
            )
        tensors = {name: value[0].detach().cpu() for name, value in predictor.stack.items()}
        features = None
        if model.has_space:
            with torch.no_grad():
                features = F.normalize(model.features(predictor.stack, batch), dim=-1).float().cpu()
    return AdaptedTask(support, tensors, features, time.perf_counter() - started, writes)


def _check_kind(meta: Learned, writes: bool) -> None:
    """Refuses a run of the other kind.

    Raises:
        InputError: such a run.
    """
    if writes and not meta.model.writes:
        raise InputError(
            "this run cannot write",
            where=meta.folder,
            got=f"a model {type(meta.model).__name__}, which chooses among classes",
            needed="a run of LoraCausal on a family of answers, such as Records",
        )
    if meta.writes and not writes:
        raise InputError(
            "this run was trained to write answers, not to choose among classes",
            where=meta.folder,
            got="labels as classes",
            needed="a run on a family of classes",
            fix="add --write, in Python take FewShotWriter: then each label is what is to be written",
        )


def _support_batch(model: Learner, support: Labelled, writes: bool) -> TaskBatch:
    if writes:
        return model.place(model.batch(_written(support.texts, support.labels)))
    rows = Rows(
        [(text, None) for text in support.texts],
        support.numbers,
        [0] * len(support.texts),
        [len(support.classes)],
        (support.classes,),
        ("",),
    )
    return model.place(model.batch(rows))


def answer(meta: Learned, task: AdaptedTask, texts: Sequence[str]) -> Answers:
    """What a task answers to texts."""
    stack = Stack({name: value[None].to(meta.model.device) for name, value in task.tensors.items()})
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))  # of like length beside each other
    probabilities = np.zeros((len(texts), len(task.classes)), np.float32)
    distances = None if task.features is None else np.zeros((len(texts), len(task.features)), np.float32)
    for places in (order[at : at + AT_ONCE] for at in range(0, len(order), AT_ONCE)):
        own, names = [texts[n] for n in places], (task.classes,)
        rows = Rows([(text, None) for text in own], [0] * len(own), [0] * len(own), [len(names[0])], names)
        with meta.lock:
            features, scores = scored(meta.model, stack, rows)
        probabilities[places] = scores.softmax(-1).numpy()
        if distances is not None and task.features is not None:
            distances[places] = (1 - features @ task.features.T).clamp(0, 2).numpy()
    return Answers(probabilities, distances)


def write(meta: Learned, task: AdaptedTask, texts: Sequence[str]) -> list[str]:
    """What a task writes to texts, greedily.

    Raises:
        InputError: a text for which there is no room.
    """
    stack = Stack({name: value[None].to(meta.model.device) for name, value in task.tensors.items()})
    found: list[str] = []
    for at in range(0, len(texts), AT_ONCE):
        own = texts[at : at + AT_ONCE]
        with meta.lock, torch.no_grad():
            batch = meta.model.place(meta.model.batch(_written(own, [None] * len(own))))
            found += meta.model.write(stack, batch)
    return found


def _written(texts: Sequence[str], answers: Sequence[str | None]) -> Rows:
    """Rows of one task that are to be written."""
    rows = [0] * len(texts)
    return Rows([(text, None) for text in texts], rows, rows, [2], sources=("",), answers=answers)


def scored(
    model: Learner, stack: Stack, rows: Rows, body: Mapping[str, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Unit-length features (R, H) and class scores (R, max way) of rows, on the CPU.

    Args:
        model: the learner.
        stack: adapters and heads of T tasks; heads alone where all tasks share an adapter.
        rows: of these tasks.
        body: the adapter that they share, (1, ...).
    """
    with torch.no_grad():
        batch = model.place(model.batch(rows))
        if body is None:
            features = model.features(stack, batch)
        else:
            together = model.place(model.batch(Rows.of(rows.texts)))
            features = model.features(Stack(body), together)
        scores = model.head.logits(stack, features, batch)
    return F.normalize(features, dim=-1).float().cpu(), scores.float().cpu()

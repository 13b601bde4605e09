"""Many adapted tasks on one backbone: texts of different tasks are answered in one forward pass."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fewshot.classify.examples import checked_texts, labelled
from fewshot.classify.learned import Learned, learned
from fewshot.classify.task import AdaptedTask, Floats, adapted, scored
from fewshot.errors import InputError, suggestion
from fewshot.models.batch import Rows
from fewshot.models.stack import Stack

ROWS = 256  # texts of one pass


class MultiTaskPredictor:
    """Keeps hundreds of adapted tasks, which are added and removed while it answers.

    The matrices of all tasks lie in one stack (T, ...), so that texts of different tasks are one pass
    over the task axis. Where a run learns its tasks under one and the same adapter, as ProtoNet does, that is
    kept once, and the heads alone are stacked.

    Args:
        run: the directory of a meta-trained run; by default the one that comes with the package.
        device: in place of the run's own.
    """

    def __init__(self, run: str | None = None, device: str | None = None) -> None:
        self._meta: Learned = learned(run, device)
        self._tasks: dict[str, AdaptedTask] = {}
        self._stack: Stack | None = None  # made when it is first needed

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, name: str) -> bool:
        return name in self._tasks

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tasks, in the order in which they came."""
        return tuple(self._tasks)

    def learn(self, name: str, texts: Sequence[str], labels: Sequence[object]) -> AdaptedTask:
        """Learns a task from examples and keeps it; one of that name is replaced.

        Raises:
            InputError: examples that cannot be used.
        """
        task = adapted(self._meta, labelled(texts, labels, f"task {name!r}"))
        self.add(name, task)
        return task

    def add(self, name: str, task: AdaptedTask) -> None:
        """Keeps a task that was learned with the same run; one of that name is replaced.

        Raises:
            InputError: a task of another model.
        """
        with self._meta.lock:
            first = next(iter(self._tasks.values()), None)
            if first is not None and not self._alike(first, task):
                raise InputError(
                    "this task was learned with another model",
                    where=f"task {name!r}",
                    needed=f"matrices like those of the {len(self)} tasks that are there",
                )
            self._tasks[name] = task
            self._stack = None

    def remove(self, name: str) -> None:
        """Forgets a task.

        Raises:
            InputError: no such task.
        """
        with self._meta.lock:
            self._known([name])
            del self._tasks[name]
            self._stack = None

    def predict(self, texts: Sequence[str], tasks: Sequence[str]) -> list[str]:
        """The class of each text in its own task.

        Args:
            texts: R texts.
            tasks: the name of the task of each.

        Raises:
            InputError: texts that cannot be read, a task that is not there.
        """
        return [
            self._tasks[name].classes[int(row.argmax())]
            for name, row in zip(tasks, self.predict_proba(texts, tasks), strict=True)
        ]

    def predict_proba(self, texts: Sequence[str], tasks: Sequence[str]) -> list[Floats]:
        """The probabilities of the classes of each text's own task, (N,) each, in the order of its classes.

        Raises:
            InputError: see `predict`.
        """
        if len(texts) != len(tasks):
            raise InputError(
                "every text needs the name of a task", got=f"{len(texts)} texts and {len(tasks)} names"
            )
        texts = checked_texts(texts)
        with self._meta.lock:
            self._known(tasks)
            stack, place = self._stacked(), {name: t for t, name in enumerate(self._tasks)}
            order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
            found: list[Floats] = [np.zeros(0, np.float32)] * len(texts)
            for rows in (order[at : at + ROWS] for at in range(0, len(order), ROWS)):
                scores = self._scores(stack, [texts[n] for n in rows], [place[tasks[n]] for n in rows])
                for n, row in zip(rows, scores, strict=True):
                    own = row[: len(self._tasks[tasks[n]].classes)]
                    found[n] = own.softmax(-1).numpy()
            return found

    def _scores(self, stack: Stack, texts: Sequence[str], numbers: Sequence[int]) -> Tensor:
        """Class scores (R, max way), under the slice of the stack of each text's task."""
        own = sorted(set(numbers))
        at = {number: t for t, number in enumerate(own)}
        task = [at[number] for number in numbers]
        classes = [each.classes for each in self._tasks.values()]
        names = tuple(classes[number] for number in own)
        rows = Rows(
            [(text, None) for text in texts], [0] * len(texts), task, [len(each) for each in names], names
        )
        if len(own) < len(self):
            chosen = torch.tensor(own, device=self._meta.model.device)
            most = max(rows.ways)
            slices = {name: value.index_select(0, chosen) for name, value in stack.items()}
            heads = self._meta.model.head.names
            stack = Stack({n: value[:, :most] if n in heads else value for n, value in slices.items()})
        return scored(self._meta.model, stack, rows, self._body)[1]

    def _stacked(self) -> Stack:
        """All tasks as one stack, heads filled up to the most classes; without the adapter that is shared."""
        if self._stack is None:
            tasks, device = list(self._tasks.values()), self._meta.model.device
            names = set(tasks[0].tensors) - set(self._body or ())
            self._stack = Stack(
                {name: _filled([task.tensors[name] for task in tasks]).to(device) for name in sorted(names)}
            )
        return self._stack

    @property
    def _body(self) -> Mapping[str, Tensor] | None:
        """The adapter (1, ...) of all tasks, where the run learns them under one and the same."""
        if not self._meta.algorithm.shares_body:
            return None
        adapter, first = self._meta.model.adapter(), next(iter(self._tasks.values())).tensors
        return {name: first[name][None].to(self._meta.model.device) for name in adapter if name in first}

    def _alike(self, one: AdaptedTask, two: AdaptedTask) -> bool:
        """Whether two tasks are of the same model, and of the same adapter where it is shared."""
        if _shapes(one) != _shapes(two):
            return False
        shared = self._meta.model.adapter() if self._meta.algorithm.shares_body else ()
        return all(torch.equal(one.tensors[n], two.tensors[n]) for n in shared if n in one.tensors)

    def _known(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._tasks:
                raise InputError(f"there is no task {name!r}", fix=suggestion(name, self._tasks))


def _shapes(task: AdaptedTask) -> Mapping[str, tuple[int, ...]]:
    """Of the matrices, without the classes."""
    return {name: () if name.startswith("head.") else tuple(v.shape) for name, v in task.tensors.items()}


def _filled(values: Sequence[Tensor]) -> Tensor:
    """(T, max, ...) of T tensors (n, ...), 0 where one is shorter; (T, ...) where they are alike."""
    if len({value.shape for value in values}) == 1:
        return torch.stack(list(values))
    return torch.nn.utils.rnn.pad_sequence(list(values), batch_first=True)

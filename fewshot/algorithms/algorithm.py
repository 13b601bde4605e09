"""What every way of learning a task shares: a support set goes in, a predictor comes out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from fewshot.algorithms.inner import Trace
from fewshot.data.example import Example
from fewshot.errors import InputError
from fewshot.models.batch import Rows, TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily


class Predictor(Protocol):
    """What was learned from T support sets."""

    def __call__(self, query: TaskBatch) -> Tensor:
        """Class scores of the query rows of the same T tasks, (R, max way)."""


@runtime_checkable
class Writer(Predictor, Protocol):
    """A predictor that answers in words."""

    def write(self, query: TaskBatch) -> list[str]:
        """Answers to query rows that are to be written, R texts."""


@dataclass(frozen=True)
class Adapted:
    """A learner under the stack that adaptation ended with."""

    learner: Learner
    stack: Stack

    def __call__(self, query: TaskBatch) -> Tensor:
        """Class scores of the query rows, (R, max way), without a graph."""
        with torch.no_grad():
            return self.learner.logits(self.stack, query)

    def write(self, query: TaskBatch) -> list[str]:
        """What the adapted model writes, R texts."""
        return self.learner.write(self.stack, query)


@dataclass(frozen=True)
class MetaStep:
    """What one outer step is made of, with its graph.

    Args:
        losses: each task's query loss after adaptation, (T,).
        scores: class scores of the query rows, (R, max way).
        surrogate: what is differentiated in place of `losses`, (T,), where the meta-gradient of an
            algorithm is not that of the query loss; None where it is.
        trace: the support losses on the way.
        asked: the query rows as they were read, where something was put before them.
    """

    losses: Tensor
    scores: Tensor
    surrogate: Tensor | None = None
    trace: Trace = field(default_factory=Trace)
    asked: TaskBatch | None = None


@dataclass(frozen=True)
class LearnedRate:
    """An inner rate that is a meta-parameter.

    Args:
        tensor: of which tensor of the stack.
        step: of which inner step, from 0; None where it is the same for all.
        values: the rate, or the rates of the tensor's numbers.
    """

    tensor: str
    step: int | None
    values: Tensor


class Algorithm(nn.Module, ABC):
    """A way of learning T tasks at once; its own parameters are meta-parameters too."""

    trainable = False  # whether it has a `meta_step`
    adapts = True  # whether `before` differs from what `adapt` gives
    shares_body = False  # tasks are learned under one and the same adapter, or none: a text's feature is one
    reads_in_order = False  # the support set is read as a text, so that its order may change the scores
    takes_parts = True  # whether its steps may take the rows of a task in parts
    lr_factor = 1.0  # the outer rate of its own parameters, in units of the adapter's
    scaffold: tuple[str, ...] = ()  # those of its parameters that only training needs: not saved

    def meet(self, classes: Mapping[str, Sequence[str]]) -> None:
        """Called once before a training, ahead of `prepare`.

        Args:
            classes: all class names of the meta-training side by source; empty where its family does not
                list them.
        """

    def prepare(self, learner: Learner) -> str:
        """Called once before anything else: makes parameters that depend on the learner.

        Returns:
            What the user should know of it, for the log; may be empty.
        """
        return ""

    def at(self, done: float) -> None:
        """Called before every outer step, for what changes in the course of the training.

        Args:
            done: share of the outer steps that have been taken.
        """

    def baseline_loss(self, drawn: Sequence[Episode]) -> float:
        """The loss, in nats, of guessing by the class prior where `meta_step` is asked on these episodes."""
        return sum(episode.prior_loss for episode in drawn) / len(drawn)

    @abstractmethod
    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """Learns T tasks from their support sets; the meta-parameters stay as they are."""

    def before(self, learner: Learner, support: TaskBatch) -> Predictor:
        """The predictor before adaptation: the initial head on the meta-learned features."""
        with torch.no_grad():
            return Adapted(learner, learner.start(support))

    def course(self, learner: Learner, support: TaskBatch) -> Iterator[Predictor]:
        """The predictor before adaptation and after every inner step; the last is what `adapt` gives.

        Here, where nothing is known of inner steps, before and after; where nothing is adapted, one alone.
        """
        if self.adapts:
            yield self.before(learner, support)
        yield self.adapt(learner, support)

    def learned_rates(self) -> list["LearnedRate"]:
        """The inner rates among the meta-parameters; none where they are not learned."""
        return []

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """Adapts T tasks and scores their queries, differentiable in the meta-parameters."""
        raise NotImplementedError(f"{type(self).__name__} has nothing to meta-train")


ADAPTS_ALL = "take a method that adapts the adapter, such as MAML"


def require_space(learner: Learner, name: str, instead: str = ADAPTS_ALL) -> None:
    """Refuses a learner whose features are no points of one space.

    Args:
        learner: the model.
        name: of the method, for the message.
        instead: what works on this model.

    Raises:
        InputError: such a learner.
    """
    if not learner.has_space:
        raise InputError(
            f"{name} solves for a head on features, and this model has none",
            where=f"model {type(learner).__name__}",
            got="a model that answers in words, class names or others",
            needed="a model with features",
            fix=f"{instead}; or for a family of classes LoraEncoder on the same backbone",
        )


def collate(learner: Learner, episodes: Sequence[Episode]) -> tuple[TaskBatch, TaskBatch]:
    """Support and query of T episodes as batches of one learner, tasks in the order of the episodes.

    They lie on the host; `Learner.place` readies them for the model.
    """
    support = _batch(learner, episodes, [e.learned_from for e in episodes])
    return support, _batch(learner, episodes, [e.query for e in episodes])


def outsiders(learner: Learner, episodes: Sequence[Episode]) -> TaskBatch | None:
    """The queries from outside of T episodes as a batch, labels without meaning; None if there are none."""
    if not any(episode.outside for episode in episodes):
        return None
    return _batch(learner, episodes, [e.outside for e in episodes])


def _batch(learner: Learner, episodes: Sequence[Episode], sets: Sequence[tuple[Example, ...]]) -> TaskBatch:
    texts = [(example.text, example.text_pair) for examples in sets for example in examples]
    task = [t for t, examples in enumerate(sets) for _ in examples]
    sources = tuple(e.source for e in episodes)
    if learner.writes and not any(e.classes for e in episodes):
        answers = [example.label for examples in sets for example in examples]
        labels, ways = [0] * len(texts), [2] * len(episodes)
        return learner.batch(Rows(texts, labels, task, ways, sources=sources, answers=answers))
    labels = [n for e, examples in zip(episodes, sets, strict=True) for n in e.numbers(examples)]
    ways, names = [e.way for e in episodes], tuple(e.classes for e in episodes)
    return learner.batch(Rows(texts, labels, task, ways, names, sources))


def foresee(learner: Learner, side: TaskFamily) -> None:
    """Refuses a side that has classes or answers which the learner cannot take.

    Raises:
        InputError: see `Learner.foresee`.
    """
    learner.foresee(side.classes().values(), side.answers())


def ready(learner: Learner, episodes: Sequence[Episode]) -> tuple[TaskBatch, TaskBatch]:
    """Support and query of T episodes, placed."""
    support, query = collate(learner, episodes)
    return learner.place(support), learner.place(query)

"""Learning in context: the support set is read before each query, as demonstrations.

In-context learning: Brown et al.: Language Models are Few-Shot Learners, NeurIPS 2020,
https://arxiv.org/abs/2005.14165. Meta-trained for it, MetaICL: Min, Lewis, Zettlemoyer, Hajishirzi, NAACL
2022, https://arxiv.org/abs/2110.15943, here in the adapter alone:

    min over theta of  -log p_theta(y | s_1 ... s_K, x),    s_k the K support examples with their answers

Channel scores: Min, Lewis, Hajishirzi, Zettlemoyer: Noisy Channel Language Model Prompting, ACL 2022,
https://arxiv.org/abs/2108.04106: p(x | s_1 ... s_K, y), texts after answers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fewshot.algorithms.algorithm import Algorithm, MetaStep, Predictor
from fewshot.algorithms.inner import Trace
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.errors import InputError
from fewshot.models.batch import Rows, Shown, TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


@dataclass(frozen=True)
class Reader:
    """A learner that reads the support sets before the queries.

    Args:
        learner: a language model.
        stack: of its T tasks; may be empty.
        shown: the support examples of each task.
        channel: whether texts are judged after class names.
    """

    learner: Learner
    stack: Stack
    shown: Sequence[tuple[Shown, ...]]
    channel: bool = False

    def __call__(self, query: TaskBatch) -> Tensor:
        """Class scores of the query rows, (R, max way), without a graph."""
        with torch.no_grad():
            return self.learner.logits(self.stack, self.asked(query))

    def write(self, query: TaskBatch) -> list[str]:
        """What the model writes after the examples, R texts."""
        return self.learner.write(self.stack, self.asked(query))

    def asked(self, query: TaskBatch) -> TaskBatch:
        """The query rows with the examples before them."""
        rows = rows_of(query)
        shown = [self.shown[task] for task in rows.task]
        return self.learner.place(self.learner.batch(replace(rows, shown=shown, channel=self.channel)))


class InContext(Algorithm):
    """The model as it is, with the support set in its prompt.

    Args:
        channel: score texts after class names; for families of classes.
    """

    adapts = False
    reads_in_order = True

    def __init__(self, channel: bool = False) -> None:
        super().__init__()
        self.channel = channel

    def prepare(self, learner: Learner) -> str:
        """Nothing is made.

        Raises:
            InputError: a learner that is no language model.
        """
        check_reads(learner, type(self).__name__)
        return ""

    def body(self, learner: Learner, tasks: int) -> Stack:
        """What the layers read: no adapter."""
        return Stack({})

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """Keeps the support sets.

        Raises:
            InputError: channel scores of texts to be written.
        """
        self._check(support)
        with torch.no_grad():
            body = self.body(learner, support.tasks)
        return Reader(learner, body, examples(support), self.channel)

    def _check(self, support: TaskBatch) -> None:
        if self.channel and support.written:
            raise InputError(
                "channel scores choose among answers, and cannot write one",
                where=type(self).__name__,
                got="a family whose answers are texts",
                needed="a family of classes, or no channel",
            )


class MetaICL(InContext):
    """In-context learning that the adapter was meta-trained for: no inner loop, demonstrations alone.

    Args:
        channel: score texts after class names; for families of classes.
    """

    trainable = True

    def body(self, learner: Learner, tasks: int) -> Stack:
        """The meta-learned adapter, the same for all tasks."""
        return learner.start_body(tasks)

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """Query losses after the support set was read.

        Raises:
            InputError: channel scores of texts to be written.
        """
        self._check(support)
        body = self.body(learner, support.tasks)
        asked = Reader(learner, body, examples(support), self.channel).asked(query)
        scores = learner.logits(body, asked)
        return MetaStep(learner.losses(scores, asked), scores.detach(), asked=asked)


class InContextMAML(MAMLAdam):
    """MAML on prompts with demonstrations: the adapter learns from the support set while it is read, too.

    In the inner loop each support example stands behind all others; a query stands behind all of them.
    Arguments as those of MAMLAdam.
    """

    reads_in_order = True

    def prepare(self, learner: Learner) -> str:
        """As MAML.

        Raises:
            InputError: a learner that is no language model.
        """
        check_reads(learner, type(self).__name__)
        return super().prepare(learner)

    def path(
        self,
        learner: Learner,
        start: Stack,
        support: TaskBatch,
        first_order: bool,
        trace: Trace | None = None,
    ) -> Iterator[Stack]:
        """As MAML's, each support example behind the others."""
        rows = rows_of(support)
        others = _others(support)
        behind = learner.place(learner.batch(replace(rows, shown=others)))
        return super().path(learner, start, behind, first_order, trace)

    def before(self, learner: Learner, support: TaskBatch) -> Predictor:
        """The meta-learned adapter, with the support set in the prompt."""
        with torch.no_grad():
            return Reader(learner, self.start(learner, support), examples(support))

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """The adapted model, with the support set in the prompt."""
        *_, last = self.course(learner, support)
        return last

    def course(self, learner: Learner, support: TaskBatch) -> Iterator[Predictor]:
        """A predictor before the first inner step and after each."""
        with torch.no_grad():
            start = self.start(learner, support)
        for stack in self.path(learner, start, support, first_order=True):
            yield Reader(learner, stack.detached(), examples(support))

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """As MAML's, with the support set in the prompts of the queries."""
        asked = Reader(learner, Stack({}), examples(support)).asked(query)
        return replace(super().meta_step(learner, support, asked), asked=asked)


def examples(support: TaskBatch) -> list[tuple[Shown, ...]]:
    """The support examples of each task with their answers, in their order."""
    rows = rows_of(support)
    found: list[list[Shown]] = [[] for _ in range(support.tasks)]
    for row, task in enumerate(rows.task):
        found[task].append(Shown(rows.texts[row], rows.answer(row)))
    return [tuple(each) for each in found]


def _others(support: TaskBatch) -> list[tuple[Shown, ...]]:
    """For each support row the other examples of its task."""
    rows, found = rows_of(support), examples(support)
    seen, others = [0] * support.tasks, []
    for task in rows.task:
        others.append(found[task][: seen[task]] + found[task][seen[task] + 1 :])
        seen[task] += 1
    return others


def rows_of(batch: TaskBatch) -> Rows:
    """The rows that a batch was made of."""
    assert batch.given is not None, "Rows.batch keeps them"
    return batch.given


def check_reads(learner: Learner, name: str) -> None:
    """Refuses a learner that reads no examples before a text.

    Raises:
        InputError: such a learner.
    """
    if not learner.writes:
        raise InputError(
            f"{name} puts examples before the text, and this model does not read on",
            where=f"model {type(learner).__name__}",
            needed="a language model",
            fix="take LoraCausal, or another method",
        )

"""What an algorithm needs of a model."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fewshot.errors import InputError
from fewshot.models.batch import Answered, Rows, TaskBatch, Text, task_losses
from fewshot.models.heads import Head
from fewshot.models.stack import Stack


class Learner(nn.Module, ABC):
    """A frozen body, an adapter that has a stacked form, and a head.

    Its meta-parameters are those of `adapter()` and of the head. Algorithms call the methods below and
    nothing else, so any model that has them can be meta-trained.
    """

    head: Head
    reads_names = False  # its scores are of the class names; `Rows.names` is needed
    writes = False  # it learns texts to be written too (`Rows.answers`)
    has_space = True  # its features are points of one space for all tasks, as prototypes need
    rows_at_once = 0  # rows that `features` takes at once, where it can take fewer than all; 0 for all

    @property
    def device(self) -> torch.device:
        """Where the meta-parameters lie."""
        return self.head.log_scale.device

    def foresee(self, names: Iterable[Sequence[str]], answers: Iterable[str]) -> None:
        """Refuses what `batch` could not take, before anything is learned.

        Args:
            names: of classes that may meet in a task, source by source.
            answers: that are to be written.

        Raises:
            InputError: by learners that read names or write.
        """

    @abstractmethod
    def batch(self, rows: Rows) -> TaskBatch:
        """The rows of T tasks as tensors; see `TaskBatch` for the shapes.

        Called in a thread beside the model.
        """

    def place(self, batch: TaskBatch) -> TaskBatch:
        """The batch where the model can take it: on the device, with what is constant of it computed."""
        return batch

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What another process has to know beside the meta-parameters to go on with the same bits."""
        return {}, {}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Takes what `state` gave."""

    @abstractmethod
    def adapter(self) -> Mapping[str, nn.Parameter]:
        """The adapter's meta-parameters by name, without a task axis."""

    @abstractmethod
    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """Row features (R, H); layers whose matrices the stack does not hold run without an adapter."""

    def layer_features(self, stack: Stack, batch: TaskBatch) -> dict[str, Tensor]:
        """Row features (R, H) by layer, from the lowest adapted one to the highest; here the last alone."""
        return {"features": self.features(stack, batch)}

    @abstractmethod
    def save_adapter(self, folder: Path) -> None:
        """Writes the adapter's meta-parameters."""

    @abstractmethod
    def load_adapter(self, folder: Path) -> None:
        """Reads what `save_adapter` wrote."""

    def limit_rows(self, rows: int) -> bool:
        """Makes `features` take at most so many rows at once; returns whether it can."""
        return False

    def require_double_backward(self) -> str:
        """Makes `features` twice differentiable; returns what was changed, for the log."""
        return ""

    def start(self, support: TaskBatch) -> Stack:
        """The stack before adaptation: meta-parameters expanded to (T, ...), and the initial head.

        The expansion is differentiable, so a gradient with respect to the stack sums over tasks.
        """
        body = self.start_body(support.tasks)
        features = self.features(body, support) if self.head.reads_support else None
        # clones, so that the inner gradient does not run back through the prototypes
        return Stack(
            {name: value.clone() for name, value in body.items()} | self.head.start(features, support)
        )

    def start_body(self, tasks: int) -> Stack:
        """The adapter's meta-parameters expanded to (T, ...), without a head."""
        return Stack({name: value.expand(tasks, *value.shape) for name, value in self.adapter().items()})

    def fresh_adapter(self) -> dict[str, Tensor]:
        """The adapter as it is before any training, by the names of `adapter`.

        Raises:
            InputError: a learner that does not say it.
        """
        raise InputError(
            "this learner does not say where its adapter begins",
            where=type(self).__name__,
            needed="a method fresh_adapter, for methods that train an adapter from its beginning",
        )

    def logits(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """Class scores (R, max way) of each row; -inf for classes that its task does not have."""
        return self.head.logits(stack, self.features(stack, batch), batch)

    def losses(self, scores: Tensor, batch: TaskBatch) -> Tensor:
        """Each task's mean loss over its own rows, (T,): cross-entropy of the class scores."""
        return task_losses(scores, batch)

    def answered(self, scores: Tensor, batch: TaskBatch) -> Answered:
        """What class scores (R, max way) say."""
        logs = scores.float().log_softmax(-1)
        predicted = scores.argmax(-1)
        confidence, log_right = logs.gather(-1, torch.stack([predicted, batch.labels], -1)).unbind(-1)
        return Answered(predicted, confidence.exp(), log_right)

    def write(self, stack: Stack, batch: TaskBatch) -> list[str]:
        """The answers of rows that are to be written, R texts, each under its task's slice of the stack.

        Raises:
            InputError: a learner that only classifies.
        """
        raise InputError(
            "this model cannot write",
            where=f"model {type(self).__name__}",
            got="a family whose answers are texts",
            needed="a language model, such as LoraCausal, or a family of classes",
        )

    def learning(self, step: int | None) -> None:
        """Called around every chunk of an outer step, for what is random while learning, such as dropout.

        What is drawn must not depend on how the meta-batch is cut: take it from `step` and the rows.

        Args:
            step: the number of the outer step that begins; None where it ends.
        """

    def cost(self, *batches: TaskBatch) -> dict[str, int]:
        """Counts of the batches of one step, by the same names whatever they are, that add up.

        `tokens` are real ones; of `padded_tokens` and the like the log has the share that is padding.
        """
        return {}

    def take_prompts(self) -> dict[int, tuple[int, int]]:
        """Of each task the prompts that were made since the last call, and those of them that were cut.

        Empty for a learner that makes none.
        """
        return {}

    def cut(self, texts: Sequence[Text]) -> list[bool]:
        """Which texts are longer than what is read of them, as far as the learner can tell."""
        return [False] * len(texts)

    def note(self) -> str:
        """What the user should know of the model, for the log; may be empty."""
        return ""

    def resolved(self) -> dict[str, Any]:
        """Constructor arguments given as 'auto', and what they became."""
        return {}


def in_shares(cost: Mapping[str, int]) -> dict[str, float]:
    """What `Learner.cost` counts, as the log has it: of tokens with padding the share that is padding."""
    tokens = cost.get("tokens", 0)
    return {
        name.replace("padded_tokens", "padding"): 1 - tokens / max(count, 1)
        if name.endswith("padded_tokens")
        else count
        for name, count in cost.items()
    }

"""A language model that learns from a few examples what to write to a text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from fewshot.classify.examples import BadExamplesError, checked_texts, labelled
from fewshot.classify.learned import learned
from fewshot.classify.store import save_task
from fewshot.classify.task import AdaptedTask, adapted, write


class FewShotWriter:
    """Learns what to write to texts from a few of them with their answers, with a meta-trained run.

    Args:
        run: the directory of a run of `LoraCausal`, best on a family whose answers are written.
        device: 'cpu' or 'cuda'; None for the run's own.
    """

    def __init__(self, run: str, *, device: str | None = None) -> None:
        self.run, self.device = run, device
        self._task: AdaptedTask | None = None

    @property
    def task(self) -> AdaptedTask:
        """What was learned.

        Raises:
            BadExamplesError: nothing yet.
        """
        if self._task is None:
            raise BadExamplesError(
                "this writer has learned nothing yet",
                where=type(self).__name__,
                needed="examples",
                fix="call fit(texts, answers) first",
            )
        return self._task

    def fit(self, texts: Sequence[str], answers: Sequence[str]) -> Self:
        """Learns from examples.

        Args:
            texts: n texts.
            answers: what is to be written to each.

        Raises:
            BadExamplesError: nothing there, a text or an answer that is no string or blank.
            InputError: a run that cannot be used, or that cannot write.
        """
        support = labelled(texts, checked_texts(answers, "the answers"), least=1)
        self._task = adapted(learned(self.run, self.device), support, writes=True)
        return self

    def predict(self, texts: Sequence[str]) -> list[str]:
        """What is written to each text, greedily, `max_new_tokens` of the run at most.

        Raises:
            BadExamplesError: a text that is no string or blank; nothing learned yet.
        """
        return write(learned(self.run, self.device), self.task, checked_texts(texts))

    def save(self, folder: str | Path) -> None:
        """Writes what was learned: an adapter that PEFT loads, and the examples; for `fewshot predict`."""
        save_task(Path(folder), self.task, learned(self.run, self.device))

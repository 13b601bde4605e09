"""What a causal language model is asked about rows: prompts, and the answers that are scored after them.

Channel: Min, Lewis, Hajishirzi, Zettlemoyer: Noisy Channel Language Model Prompting for Few-Shot Text
Classification, ACL 2022, https://arxiv.org/abs/2108.04106: the likelihood of the text after a class name.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fewshot.data.names import in_words
from fewshot.errors import InputError
from fewshot.models.batch import Rows, Shown, Text
from fewshot.models.choices import Choices
from fewshot.models.prompt_tokens import PromptTokens


@dataclass
class Question:
    """What is read and scored.

    Args:
        choices: the sequences, and what of them is scored.
        slots: likelihoods that are asked for.
        lengths: scored tokens of each row that is written, with its end; else empty.
        prompts: of each row that is written; else empty.
        neutral: of each row, the number of the row without a text that it is calibrated by; empty for none.
        read: prompts, by task.
        cut: those of them of which something was left out, by task.
    """

    choices: Choices
    slots: int
    lengths: list[int] = field(default_factory=list)
    prompts: list[list[int]] = field(default_factory=list)
    neutral: list[int] = field(default_factory=list)
    read: Counter[int] = field(default_factory=Counter)
    cut: Counter[int] = field(default_factory=Counter)

    def count(self, task: int, cut: bool) -> None:
        """A prompt more."""
        self.read[task] += 1
        self.cut[task] += cut


class Asking:
    """Turns rows into questions.

    Args:
        tokens: prompts and answers as token numbers.
        calibrated: ask for class names after no text, too.
        room: tokens that are kept free for an answer to be written, where it is not longer.
        branching: read a prompt once for all class names after it.
    """

    def __init__(self, tokens: PromptTokens, calibrated: bool, room: int, branching: bool) -> None:
        self._tokens, self._calibrated, self._room = tokens, calibrated, room
        self._branching = branching

    def question(self, rows: Rows) -> Question:
        """What is asked of rows.

        Raises:
            InputError: rows with neither class names nor answers, a name without tokens, two names with the
                same, an answer for which there is no room.
        """
        if rows.answers:
            return self._written(rows)
        if not rows.names:
            raise InputError(
                "a model that answers by class names needs them",
                where="model LoraCausal",
                got="rows without class names",
                needed="episodes of named classes, or of answers to be written",
            )
        return self._channel(rows) if rows.channel else self._named(rows)

    def foresee(self, names: Iterable[Sequence[str]], answers: Iterable[str]) -> None:
        """Refuses class names and answers that could not be asked for.

        Args:
            names: of classes that may meet in a task, source by source.
            answers: that are to be written.

        Raises:
            InputError: what `question` would say of them.
        """
        for each in names:
            self._names(each)
        for answer in answers:
            # no token has less than a byte; a blank and the end are beside them
            if len(answer.encode()) + 2 > self._tokens.room.most or not answer.strip():
                self._answer(answer)

    def _answer(self, answer: str | None) -> list[int]:
        """The tokens of what is to be written; of what nobody knows the end alone."""
        found = self._tokens.written(answer)
        self._tokens.room.check(answer or "", len(found), self._room)
        return found

    def _written(self, rows: Rows) -> Question:
        """The answer of each row, a slot each."""
        asked = Question(Choices(self._branching), len(rows.texts))
        for row, text in enumerate(rows.texts):
            answer = self._answer(rows.answers[row])
            shown = rows.before(row)
            prompt, cut = self._tokens.prompt(text, max(self._room, len(answer)), shown)
            asked.choices.add(prompt, [answer], rows.task[row], row)
            asked.prompts.append(prompt)
            asked.lengths.append(len(answer))
            asked.count(rows.task[row], cut)
        return asked

    def _named(self, rows: Rows) -> Question:
        """Every class name after each text; a slot each, a row's slots together."""
        names = [self._names(each) for each in rows.names]
        asking = [(text, rows.task[row], rows.before(row)) for row, text in enumerate(rows.texts)]
        neutral: dict[tuple[int, tuple[Shown, ...]], int] = {}
        if self._calibrated:
            for _, task, shown in list(asking):
                if (task, shown) not in neutral:
                    neutral[task, shown] = len(asking)
                    asking.append((_empty(rows, task), task, shown))
        width = max(rows.ways)
        asked = Question(Choices(self._branching), len(asking) * width)
        asked.neutral = [neutral[t, s] for _, t, s in asking[: len(rows.texts)]] if neutral else []
        for number, (text, task, shown) in enumerate(asking):
            worded = [Shown(each.text, in_words(each.answer)) for each in shown]
            prompt, cut = self._tokens.prompt(text, max(map(len, names[task])), worded)
            asked.choices.add(prompt, names[task], task, number * width)
            if number < len(rows.texts):
                asked.count(task, cut)
        return asked

    def _channel(self, rows: Rows) -> Question:
        """Each text after every class name; slots as for names."""
        for names in rows.names:
            self._names(names)  # told apart, and in words
        width = max(rows.ways)
        asked = Question(Choices(self._branching), len(rows.texts) * width)
        for row, text in enumerate(rows.texts):
            shown = [Shown(each.text, in_words(each.answer)) for each in rows.before(row)]
            for n, name in enumerate(rows.names[rows.task[row]]):
                prompt, judged, cut = self._tokens.turned(text, in_words(name), shown)
                asked.choices.add(prompt, [judged], rows.task[row], row * width + n)
                asked.count(rows.task[row], cut)
        return asked

    def _names(self, names: Sequence[str]) -> list[list[int]]:
        """The tokens of a task's class names.

        Raises:
            InputError: a name without tokens, two names with the same.
        """
        answers = [self._tokens.answer(in_words(name), name) for name in names]
        seen: dict[tuple[int, ...], str] = {}
        for name, answer in zip(names, answers, strict=True):
            self._tokens.room.check(name, len(answer))
            other = seen.setdefault(tuple(answer), name)
            if other != name:
                raise InputError(
                    "two label names have the same tokens",
                    where="the label names",
                    got=f"{other!r} and {name!r}",
                    needed="names that the model can tell apart",
                    fix="give one of the classes another name in the data",
                )
        return answers


def _empty(rows: Rows, task: int) -> Text:
    """No text, or a pair of none where the task's rows are pairs."""
    paired = any(second for (_, second), t in zip(rows.texts, rows.task, strict=True) if t == task)
    return "", "" if paired else None

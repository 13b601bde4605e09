"""Prompts: a text put into a template, cut where it is too long, as token numbers."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fewshot.errors import InputError, listing
from fewshot.models.batch import Shown, Text

TEXT, PAIR = "text", "text_pair"
APART = "\n\n"  # between examples


@dataclass(frozen=True)
class Prompt:
    """What a language model reads before it answers.

    Args:
        template: with `{text}` where the text goes.
        pair_template: of rows with two texts, with `{text}` and `{text_pair}`.
        before_answer: what stands before an answer: its first token often is that of a word with its space.
        chat: put it through the chat template of the tokenizer, as what a user says.

    Raises:
        InputError: a placeholder that is missing, or one that nothing stands for.
    """

    template: str = "{text}\nAnswer:"
    pair_template: str = "{text}\n{text_pair}\nAnswer:"
    before_answer: str = " "
    chat: bool = False

    def __post_init__(self) -> None:
        _check(self.template, "template", (TEXT,))
        _check(self.pair_template, "pair_template", (TEXT, PAIR))

    def filled(self, text: Text) -> str:
        """The template with a text, or a pair, in it."""
        first, second = text
        if second is None:
            return self.template.format(text=first)
        return self.pair_template.format(text=first, text_pair=second)

    def turned(self, text: Text, name: str) -> tuple[str, str]:
        """What is read before a text that is judged after a class name, and that text."""
        return name + "\n", "\n".join(filter(None, text))


def _check(template: str, name: str, wanted: Sequence[str]) -> None:
    try:
        found = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise InputError(
            "the template cannot be read",
            where=f"model.prompt.{name}",
            got=f"{template!r}: {error}",
            needed="text with placeholders in braces; a brace of its own is written twice",
        ) from error
    missing, extra = set(wanted) - found, found - set(wanted)
    if missing or extra:
        wrong = [f"missing: {listing(sorted(missing))}"] if missing else []
        wrong += [f"unknown: {listing(sorted(extra))}"] if extra else []
        raise InputError(
            "the template has other placeholders than it should",
            where=f"model.prompt.{name}",
            got=f"{template!r} ({'; '.join(wrong)})",
            needed=" and ".join(f"{{{each}}}" for each in wanted),
        )


class PromptTokens:
    """Prompts and answers as token numbers.

    Args:
        tokenizer: of transformers.
        prompt: the template.
        max_length: tokens of a prompt with its answer.

    Raises:
        InputError: a chat template that the tokenizer does not have.
    """

    def __init__(self, tokenizer: Any, prompt: Prompt, max_length: int) -> None:
        self._tokenizer, self._prompt, self._max_length = tokenizer, prompt, max_length
        if prompt.chat and not getattr(tokenizer, "chat_template", None):
            raise InputError(
                "the tokenizer has no chat template",
                where="model.prompt.chat",
                got="a base model's tokenizer",
                needed="a chat model, or false",
            )
        plain = tokenizer("a")["input_ids"]
        begin = tokenizer.bos_token_id
        self.end: int | None = tokenizer.eos_token_id
        self._begin = [begin] if begin is not None and plain[:1] == [begin] else []

    def answer(self, answer: str) -> list[int]:
        """Token numbers of an answer, with what stands before it.

        Raises:
            InputError: nothing is left of it.
        """
        found = self._ids(self._prompt.before_answer + answer)
        if not answer.strip() or not found:
            raise InputError(
                "an answer without tokens",
                where="a label name, or what is to be written",
                got=repr(answer),
                needed="words that the tokenizer has tokens for",
                fix="give the class another name in the data, or leave the record out",
            )
        return found

    def written(self, answer: str) -> list[int]:
        """Token numbers of an answer with the end behind it.

        Raises:
            InputError: nothing is left of it, or the tokenizer has no end.
        """
        if self.end is None:
            raise InputError(
                "the tokenizer has no token for the end of an answer",
                where="model.backbone",
                needed="a tokenizer with an eos token, for families whose answers are texts",
            )
        return [*self.answer(answer), self.end]

    def text_of(self, tokens: Sequence[int]) -> str:
        """What was written."""
        decoded: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return decoded.removeprefix(self._prompt.before_answer)

    def turned(self, text: Text, name: str, shown: Sequence[Shown] = ()) -> tuple[list[int], list[int], bool]:
        """Token numbers of a class name, of the text that is judged after it, and whether something was cut.

        A text has half of the length at most, its end; of the examples as many as there is room for.

        Raises:
            InputError: a name that leaves no room.
        """
        before, after = self._prompt.turned(text, name)
        examples = [self._ids("".join(self._prompt.turned(each.text, each.answer)) + APART) for each in shown]
        read, answer = self._ids(before), self._ids(after)
        judged = answer[-self._max_length // 2 :]
        most = self._max_length - len(self._begin) - len(read) - len(judged)
        if most < 0:
            raise InputError(
                "a class name leaves no room for the text",
                where="a label name",
                got=f"{name!r}, {len(read)} tokens",
                needed=f"fewer than half of model.max_length, which is {self._max_length}",
            )
        kept = _last(examples, most)
        found = [*self._begin, *(token for each in kept for token in each), *read]
        return found, judged, len(kept) < len(shown) or judged != answer

    def prompt(self, text: Text, room: int, shown: Sequence[Shown] = ()) -> tuple[list[int], bool]:
        """Token numbers of a prompt, and whether something was too long: examples, then the text itself.

        Examples go one by one, the first one first; the text is cut from the left.

        Args:
            text: a text, or a pair, of which the first is cut.
            room: tokens that the answer needs.
            shown: examples that come before it.

        Raises:
            InputError: no room for the text at all.
        """
        most = self._max_length - room
        for first in range(len(shown) + 1):
            found = self._whole(text, shown[first:])
            if len(found) <= most:
                return found, first > 0
        first_text, second = text
        starts = [start for start, _ in self._offsets(first_text)]
        over = len(found) - most
        while over < len(starts):
            found = self._whole((first_text[starts[over] :], second))
            if len(found) <= most:
                return found, True
            over += len(found) - most
        raise InputError(
            "the prompt has no room for the text",
            where="model.max_length",
            got=f"{self._max_length} tokens, of which the answer to {first_text[:40]!r} needs {room}",
            needed=f"at least {len(self._whole(('', second))) + room + 1} tokens",
            fix="raise model.max_length, or shorten model.prompt.template",
        )

    def _whole(self, text: Text, shown: Sequence[Shown] = ()) -> list[int]:
        filled = self._prompt.filled(text)
        if self._prompt.chat:
            said = [turn for each in shown for turn in self._turns(each)]
            said.append({"role": "user", "content": filled})
            filled = self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
            return self._ids(filled)
        examples = [token for each in shown for token in self._example(each)]
        return [*self._begin, *examples, *self._ids(filled)]

    def _example(self, shown: Shown) -> list[int]:
        """An example: the prompt, then the tokens that its answer is scored by, with the end behind them."""
        end = [] if self.end is None else [self.end]  # else the model cannot see where an answer stops
        read = self._ids(self._prompt.filled(shown.text))
        return [*read, *self.answer(shown.answer), *end, *self._ids(APART)]

    def _turns(self, shown: Shown) -> list[dict[str, str]]:
        """An example as what a user says and what is answered, with what stands before an answer."""
        said, answer = self._prompt.filled(shown.text), self._prompt.before_answer + shown.answer
        return [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets: list[tuple[int, int]] = found["offset_mapping"]
        return offsets


def _last(examples: Sequence[list[int]], most: int) -> Sequence[list[int]]:
    """As many of the last examples as have so many tokens together."""
    first = len(examples)
    while first and len(examples[first - 1]) <= most:
        first -= 1
        most -= len(examples[first])
    return examples[first:]

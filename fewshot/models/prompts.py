"""Prompts: a text put into a template, cut where it is too long, as token numbers."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fewshot.errors import InputError, listing
from fewshot.models.batch import Text

TEXT, PAIR = "text", "text_pair"


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
        self._begin = [begin] if begin is not None and plain[:1] == [begin] else []

    def answer(self, answer: str) -> list[int]:
        """Token numbers of an answer, with what stands before it.

        Raises:
            InputError: nothing is left of it.
        """
        found: list[int] = self._ids(self._prompt.before_answer + answer)
        if not answer.strip() or not found:
            raise InputError(
                "an answer without tokens",
                where="the label names" if answer else "an empty label name",
                got=repr(answer),
                needed="a name that the tokenizer has tokens for",
                fix="give the class another name in the data",
            )
        return found

    def prompt(self, text: Text, room: int) -> tuple[list[int], bool]:
        """Token numbers of a prompt, and whether its text was too long and so was cut from the left.

        Args:
            text: a text, or a pair, of which the first is cut.
            room: tokens that the answer needs.

        Raises:
            InputError: no room for the text at all.
        """
        most = self._max_length - room
        found = self._whole(text)
        if len(found) <= most:
            return found, False
        first, second = text
        starts = [start for start, _ in self._offsets(first)]
        over = len(found) - most
        while over < len(starts):
            found = self._whole((first[starts[over] :], second))
            if len(found) <= most:
                return found, True
            over += len(found) - most
        raise InputError(
            "the prompt has no room for the text",
            where="model.max_length",
            got=f"{self._max_length} tokens, of which the answer needs {room}",
            needed=f"at least {len(self._whole(('', second))) + room + 1} tokens",
            fix="raise model.max_length, or shorten model.prompt.template",
        )

    def _whole(self, text: Text) -> list[int]:
        filled = self._prompt.filled(text)
        if self._prompt.chat:
            said = [{"role": "user", "content": filled}]
            filled = self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
            return self._ids(filled)
        return self._begin + self._ids(filled)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets: list[tuple[int, int]] = found["offset_mapping"]
        return offsets

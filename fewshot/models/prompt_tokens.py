"""Prompts as token numbers: a text in its template, after examples, cut where it is too long; and answers."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

from fewshot.errors import InputError
from fewshot.models.batch import Shown, Text
from fewshot.models.cutting import cut_from_left
from fewshot.models.prompts import Prompt
from fewshot.models.room import Room

APART = "\n\n"  # between examples
MOST_EXAMPLES = 4096  # that are remembered as tokens
MARK = "=answer="  # an answer that no template has
LEAD = ":"  # what an answer is tokenised behind: alone, some tokenizers give it another first token


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
                got="true, with the tokenizer of a base model",
                needed="a tokenizer with a chat template",
                fix="set model.prompt.chat to false, or take a backbone that was trained to chat",
            )
        plain = tokenizer("a")["input_ids"]
        begin = tokenizer.bos_token_id
        self.end: int | None = self._turn_end() if prompt.chat else tokenizer.eos_token_id
        self._begin = [begin] if begin is not None and plain[:1] == [begin] else []
        self._lead = self._ids(LEAD)
        self._example = lru_cache(MOST_EXAMPLES)(self._tokens_of)  # all queries of a task have the same ones

    def answer(self, answer: str, given: str = "") -> list[int]:
        """Token numbers of an answer as it stands behind a prompt, with what stands before it.

        Args:
            answer: what is scored or written.
            given: what it was made of, for messages, where that is something else.

        Raises:
            InputError: nothing is left of it.
        """
        said = self._prompt.before + answer
        behind, size = self._ids(LEAD + said), len(self._lead)
        found = behind[size:] if behind[:size] == self._lead else self._ids(said)
        if not answer.strip() or not found:
            raise InputError(
                "an answer without tokens",
                where="a label name, or what is to be written",
                got=repr(given or answer),
                needed="words that the tokenizer has tokens for",
                fix="give the class another name in the data, or leave the record out",
            )
        return found

    def written(self, answer: str | None) -> list[int]:
        """Token numbers of an answer, if there is one, with the end behind it.

        Raises:
            InputError: nothing is left of it, or the tokenizer has no end.
        """
        if self.end is None:
            raise InputError(
                "the tokenizer has no token for the end of an answer",
                where="model.backbone",
                got="a tokenizer whose eos_token is not set",
                needed="an eos token, for families whose answers are texts",
                fix="name one of its tokens as eos_token in the backbone's tokenizer_config.json, "
                "or take another backbone",
            )
        return [*(self.answer(answer) if answer is not None else ()), self.end]

    def ends(self, others: Collection[int]) -> set[int]:
        """What ends an answer that is written: the tokenizer's end, a turn's, and what a model says itself.

        Args:
            others: what the model says; a plain word among them is a mistake of its configuration.
        """
        own = (self.end, self._tokenizer.eos_token_id)
        return {each for each in own if each is not None} | {each for each in others if each in self._added()}

    def text_of(self, tokens: Sequence[int]) -> str:
        """What was written."""
        decoded: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return decoded.removeprefix(self._prompt.before)

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

        Examples go one by one, the first one first; the text is cut from the left, of a pair the first one
        and then, if that is not enough, the second; a token of each stays.

        Args:
            text: a text, or a pair.
            room: tokens that the answer needs.
            shown: examples that come before it.

        Raises:
            InputError: no room for the text at all, a prompt without any token.
        """
        most = self._max_length - room
        kept = self._fitting(text, shown, most)
        found = self._whole(text, kept)
        if len(found) <= most:
            return found, len(kept) < len(shown)
        cut, least = cut_from_left(text, self._whole, self._starts, most)
        if cut is not None:
            return cut, True
        raise InputError(
            "the prompt has no room for the text",
            where="model.max_length",
            got=f"{self._max_length} tokens, {room} of them kept for the answer",
            needed=f"at least {least + room} tokens",
            fix="raise model.max_length as far as the backbone reads, or shorten the template",
        )

    @cached_property
    def room(self) -> Room:
        """What answers may take."""
        return Room(self._max_length, around=len(self._all(("", None), ())))

    def _fitting(self, text: Text, shown: Sequence[Shown], most: int) -> Sequence[Shown]:
        """As many of the last examples as there is room for."""
        if self._prompt.chat:  # whose template may write anything around them
            places = range(len(shown))
            return next((shown[n:] for n in places if len(self._whole(text, shown[n:])) <= most), ())
        kept = _last([self._example(each) for each in shown], most - len(self._whole(text)))
        return shown[len(shown) - len(kept) :]

    def _whole(self, text: Text, shown: Sequence[Shown] = ()) -> list[int]:
        """Token numbers of a prompt; never none, since what comes first is scored behind the last of them.

        Raises:
            InputError: no token, and none that a text could begin with.
        """
        found = self._all(text, shown) or self._start()
        if not found:
            raise InputError(
                "a prompt without tokens",
                where="model.prompt.template",
                got=f"{self._prompt.template!r} with an empty text",
                needed="words beside the text, since the tokenizer has no token to begin or end a text with",
            )
        return found

    def _start(self) -> list[int]:
        """What a text can begin with where nothing stands there."""
        own = (self._tokenizer.bos_token_id, self.end)
        return [each for each in own if each is not None][:1]

    def _all(self, text: Text, shown: Sequence[Shown]) -> list[int]:
        filled = self._prompt.filled(text)
        if self._prompt.chat:
            said = [turn for each in shown for turn in self._turns(each)]
            said.append({"role": "user", "content": filled})
            filled = self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
            return self._ids(filled)
        examples = [token for each in shown for token in self._example(each)]
        return [*self._begin, *examples, *self._ids(filled)]

    def _turn_end(self) -> int | None:
        """What a chat's template has behind an answer, if a token of its own; else the tokenizer's end."""
        own: int | None = self._tokenizer.eos_token_id
        said: str = self._tokenizer.apply_chat_template(self._turns(Shown(("?", None), MARK)), tokenize=False)
        _, found, behind = said.rpartition(MARK)
        first = self._ids(behind.lstrip())[:1] if found else []
        return first[0] if first and first[0] in self._added() else own

    def _added(self) -> Collection[int]:
        """Tokens beside those of texts."""
        found = getattr(self._tokenizer, "added_tokens_decoder", None)
        return found if isinstance(found, Mapping) else ()  # a method that fails, in some

    def _tokens_of(self, shown: Shown) -> list[int]:
        """An example: the prompt, then the tokens that its answer is scored by, with the end behind them."""
        end = [] if self.end is None else [self.end]  # else the model cannot see where an answer stops
        read = self._ids(self._prompt.filled(shown.text))
        return [*read, *self.answer(shown.answer), *end, *self._ids(APART)]

    def _turns(self, shown: Shown) -> list[dict[str, str]]:
        """An example as what a user says and what is answered, with what stands before an answer."""
        said, answer = self._prompt.filled(shown.text), self._prompt.before + shown.answer
        return [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _starts(self, text: str) -> list[int]:
        """Where the tokens of a text begin in it."""
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return [start for start, _ in found["offset_mapping"]]


def _last(examples: Sequence[list[int]], most: int) -> Sequence[list[int]]:
    """As many of the last examples as have so many tokens together."""
    first = len(examples)
    while first and len(examples[first - 1]) <= most:
        first -= 1
        most -= len(examples[first])
    return examples[first:]

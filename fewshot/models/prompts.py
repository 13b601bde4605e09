"""Templates: what a language model reads around a text before it answers."""

import string
from collections.abc import Sequence
from dataclasses import dataclass

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
            By default a blank, in a chat nothing.
        chat: put it through the chat template of the tokenizer, as what a user says.

    Raises:
        InputError: a placeholder that is missing, one that nothing stands for, or that asks for a format.
    """

    template: str = "{text}\nAnswer:"
    pair_template: str = "{text}\n{text_pair}\nAnswer:"
    before_answer: str | None = None
    chat: bool = False

    def __post_init__(self) -> None:
        _check(self.template, "template", (TEXT,))
        _check(self.pair_template, "pair_template", (TEXT, PAIR))

    @property
    def before(self) -> str:
        """What stands before an answer."""
        default = "" if self.chat else " "
        return default if self.before_answer is None else self.before_answer

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
        parsed = [each for each in string.Formatter().parse(template) if each[1] is not None]
    except ValueError as error:
        raise InputError(
            "the template cannot be read",
            where=f"model.prompt.{name}",
            got=f"{template!r}: {error}",
            needed=f"text with {_braced(wanted)}",
            fix="close every brace; one that is meant as a brace is written twice: {{ or }}",
        ) from error
    # a format or a conversion could fail at a text, or cut it
    found = {_placeholder(field, form, turned) for _, field, form, turned in parsed}
    missing, extra = set(wanted) - found, found - set(wanted)
    if missing or extra:
        wrong = [f"missing: {listing(sorted(missing))}"] if missing else []
        wrong += [f"unknown: {listing(sorted(extra))}"] if extra else []
        places = "where the text goes" if len(wanted) == 1 else "where the texts go"
        mend = [f"write {_braced(sorted(missing))} {places}"] if missing else []
        mend += [f"leave {_braced(sorted(extra))} out, or write these braces twice"] if extra else []
        raise InputError(
            "the template has other placeholders than it should",
            where=f"model.prompt.{name}",
            got=f"{template!r} ({'; '.join(wrong)})",
            needed=_braced(wanted),
            fix="; ".join(mend),
        )


def _braced(names: Sequence[str]) -> str:
    return " and ".join(f"{{{each}}}" for each in names)


def _placeholder(field: str | None, form: str | None, turned: str | None) -> str:
    """As it stands in the braces."""
    return (field or "") + (f"!{turned}" if turned else "") + (f":{form}" if form else "")

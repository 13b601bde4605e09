"""Cleaning: a pipeline of small steps, all of them off unless they are named."""

import functools
import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Literal

from fewshot.data.hooks import function_of
from fewshot.errors import InputError, require_at_least, with_article

Step = Callable[[str], str]

URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")
EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
# fmt: off
BREAKS = frozenset((
    "blockquote", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "section",
    "table", "td", "th", "tr", "ul",
))
HIDDEN = frozenset(("script", "style"))
TAGS = BREAKS | HIDDEN | frozenset((
    "a", "abbr", "acronym", "b", "big", "body", "button", "center", "cite", "code", "dd", "del", "dl", "dt",
    "em", "figure", "font", "form", "head", "html", "i", "iframe", "img", "input", "ins", "kbd", "label",
    "link", "main", "mark", "meta", "nav", "option", "q", "s", "samp", "select", "small", "span", "strike",
    "strong", "sub", "sup", "svg", "tbody", "textarea", "tfoot", "thead", "title", "tt", "u", "var", "video",
))
# fmt: on


def repair_unicode(text: str) -> str:
    """Undoes wrong decodings ('cafÃ©'), by ftfy."""
    import ftfy  # here, not above: only who asks for it needs it

    return str(ftfy.fix_text(text))


def strip_html(text: str) -> str:
    """Entities become signs; tags of HTML go, a blank where they break a line; others, such as <e1>, stay."""
    if "<" not in text:
        return html.unescape(text)
    parser = _Strip()
    parser.feed(text)
    parser.close()
    return "".join(parser.kept)


def mark_links(text: str) -> str:
    """URLs become [URL], e-mail addresses [EMAIL]."""
    return EMAIL.sub("[EMAIL]", URL.sub("[URL]", text))


def fold_spaces(text: str) -> str:
    """Runs of white space become one blank, none at the ends."""
    return " ".join(text.split())


def drop_stop_words(text: str) -> str:
    """Leaves out English function words, by scikit-learn's list; it hurts models that read word order."""
    return " ".join(word for word in text.split() if word.strip(".,;:!?\"'()").lower() not in _stop_words())


STEPS: dict[str, Step] = {
    "unicode": repair_unicode,
    "html": strip_html,
    "links": mark_links,
    "spaces": fold_spaces,
    "lower": str.lower,
    "stop-words": drop_stop_words,
}


@dataclass(frozen=True)
class Cleaning:
    """What is done to the texts of a source, in the order of the fields.

    Args:
        steps: of unicode, html, links, spaces, lower, stop-words, in the order in which they are done; also
            a function of yours, text to text, by its import path: for scripts without spaces, say, one that
            puts them between words.
        labels: fold the white space of labels too, so that 'card ' is 'card'.
        shortest: rows whose text has fewer words are left out.
        longest: rows whose text has more words are left out.
        duplicates: 'class': a text counts once in a class; 'pool': once in all, and in none where it
            stands in several classes, since its label is not known then.
    """

    steps: list[str] = field(default_factory=list)
    labels: bool = False
    shortest: int = 0
    longest: int | None = None
    duplicates: Literal["class", "pool"] = "class"

    def __post_init__(self) -> None:
        require_at_least("cleaning", self, shortest=0)
        if self.longest is not None:
            require_at_least("cleaning", self, longest=max(1, self.shortest))
        if self.duplicates not in ("class", "pool"):
            raise InputError(
                "unknown setting",
                where="cleaning.duplicates",
                got=repr(self.duplicates),
                needed="'class' or 'pool'",
            )
        self.functions()

    def functions(self) -> list[tuple[str, Step]]:
        """Name and function of each step.

        Raises:
            InputError: a step that is not known and no function.
        """
        return [(name, function_of(name, STEPS, "cleaning step", "cleaning.steps")) for name in self.steps]

    @property
    def limits(self) -> bool:
        """Whether rows are left out by their length."""
        return self.shortest > 0 or self.longest is not None

    def fits(self, text: str) -> bool:
        """Whether a text has as many words as are wanted."""
        words = len(text.split())
        return self.shortest <= words and (self.longest is None or words <= self.longest)


def normalised(text: str) -> str:
    """A text without what does not tell it from another: case, white space, punctuation and other signs.

    A text of signs alone keeps them.
    """
    folded = unicodedata.normalize("NFC", text).casefold()
    return " ".join(folded.translate(_LETTERS).split()) or fold_spaces(folded)


class _Letters(dict[int, str]):
    """For `str.translate`: letters, their marks and digits stay, an apostrophe goes, others are blanks."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        kept = "" if sign in "'’" else sign if unicodedata.category(sign)[0] in "LMN" else " "
        self[code] = kept
        return kept


_LETTERS = _Letters()


def apply(step: tuple[str, Step], text: str) -> str:
    """The text after a step.

    Raises:
        InputError: a step that fails, or gives no text.
    """
    name, function = step
    try:
        cleaned = function(text)
    except Exception as error:
        raise _failed(name, text, f"{type(error).__name__}: {error}") from error
    if not isinstance(cleaned, str):
        raise _failed(name, text, f"it gave {with_article(type(cleaned).__name__)}")
    return cleaned


def _failed(name: str, text: str, got: str) -> InputError:
    return InputError(
        f"the cleaning step {name!r} failed",
        where=f"text {text[:60]!r}",
        got=got,
        needed="a function that takes a text and gives a text",
    )


class _Strip(HTMLParser):
    """Collects what a reader of the page would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kept: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, self.get_starttag_text() or "", tag in HIDDEN)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, self.get_starttag_text() or "", False)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN and self._hidden > 0
        self._tag(tag, f"</{tag}>", False)

    def _tag(self, tag: str, raw: str, hides: bool) -> None:
        self._hidden += hides
        if tag in BREAKS:
            self.kept.append(" ")
        elif tag not in TAGS:
            self.kept.append(raw)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.kept.append(data)


@functools.cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # a second; only who asks for it waits

    return frozenset(ENGLISH_STOP_WORDS)

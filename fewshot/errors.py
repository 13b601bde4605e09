"""What can go wrong, said in one message: what, where, what was got, what was needed, what to do."""

import difflib
import re
from collections.abc import Iterable

LONGEST = 600  # characters of a line of a message
MOST = 30  # lines of a part of a message
# what would steer a terminal, turn the direction of a line or break an encoding; it may come from a file
UNSHOWABLE = re.compile("[\0-\b\v-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
AN = re.compile("[aeio]|u(?!ni|r[li]|s[aeu])", re.IGNORECASE)  # how words begin that 'an' stands before


class Whole(str):
    """What a message says in full, however long it is: another message, or a command to copy."""


class FewshotError(Exception):
    """The work failed. The command line prints the message alone and exits with `exit_code`."""

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        got: object = None,
        needed: object = None,
        fix: object = None,
    ) -> None:
        parts = {"where": where, "got": got, "needed": needed, "do": fix}
        said = {name: shown(text) for name, text in parts.items() if text is not None}
        lines = [shown(what)] + [f"  {name + ':':<8}{text}" for name, text in said.items()]
        super().__init__("\n".join(lines))


class InputError(FewshotError):
    """The input or the command line is wrong."""

    exit_code = 2


class UnwritableError(FewshotError):
    """A file could not be written: the disk is full, or cannot be written to."""


class SaidError(FewshotError):
    """What went wrong is said by another process; only the exit code is left to give."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("another process says what went wrong")
        self.exit_code = exit_code


class MissingPartError(FewshotError):
    """A package that this work needs is not installed."""


def require_at_least(group: str, settings: object, **limits: float) -> None:
    """Checks fields of a settings object against their least values.

    Args:
        group: what the options of these settings begin with.
        settings: the object.
        limits: field -> least value.

    Raises:
        InputError: a value below its limit.
    """
    for name, least in limits.items():
        value = getattr(settings, name)
        if not value >= least:  # so written, NaN is refused too
            raise InputError(f"{group}.{name} is too small", got=value, needed=f"{least} or more")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for, or None."""
    small = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), list(small), n=1, cutoff=0.6)
    return small[close[0]] if close else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """One line for the `do` part of a message: the nearest right word, else all of them."""
    words = sorted(known)
    close = nearest(word, words)
    return f"did you mean {close!r}?" if close else f"choose one of: {listing(words)}"


def listing(words: Iterable[object], limit: int = 8) -> str:
    """`words` joined by commas, the rest counted beyond `limit`."""
    items = [str(word) for word in words]
    more = f", and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def with_article(noun: str) -> str:
    """'a text', 'an output', and 'a user' though it begins with a vowel."""
    return f"{'an' if AN.match(noun) else 'a'} {noun}"


def shown(text: object) -> str:
    """What a message says of anything: no control characters, no long lines, not too many of them.

    Control characters are written out, the middle of a long line is left out, lines after many are counted;
    of what is `Whole` nothing is left out.
    """
    written = UNSHOWABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))
    if isinstance(text, Whole):
        return written
    lines = written.split("\n")
    more = [f"          and {len(lines) - MOST:,} more lines"] if len(lines) > MOST else []
    return "\n".join([*map(_line, lines[:MOST]), *more])


def _line(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    start, end = LONGEST * 2 // 3, LONGEST // 3
    return f"{text[:start]} ... {len(text) - start - end:,} more characters ... {text[-end:]}"


def first_line(error: BaseException) -> str:
    """What an error of another library says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]

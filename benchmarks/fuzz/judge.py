"""One input, judged: read, refused by a clear error, or something that must not be."""

import contextlib
import signal
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from benchmarks.fuzz.kinds import Kind
from fewshot.errors import LONGEST, UNSHOWABLE, FewshotError

SECONDS: float = 20  # for one input
LONGEST_MESSAGE = 5 * LONGEST + 500  # characters: five parts of a line; a file does not fill the screen
READ, REFUSED = "read", "refused"


class HangError(BaseException):
    """The time of an input is over; nothing that reads it catches this."""


class FoundError(AssertionError):
    """An input that is neither read nor refused as it should be."""


def judged(kind: Kind, content: bytes) -> str:
    """How an input ends.

    Raises:
        FoundError: an error of another kind, no end, a message that is none.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            with _limited(SECONDS):
                kind.read(Path(folder), content)
        except FewshotError as error:
            _check_message(str(error))
            return REFUSED
        except HangError:
            raise FoundError(f"no end within {SECONDS} s") from None
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {str(error)[:200]}, {place.filename}, line {place.lineno}"
            raise FoundError(said) from error
    return READ


def _check_message(message: str) -> None:
    what = message.split("\n")[0]
    if not what or len(message) > LONGEST_MESSAGE or UNSHOWABLE.search(message):
        raise FoundError(f"a message of {len(message)} characters: {message[:300]!r}")


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def over(signal_number: int, frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

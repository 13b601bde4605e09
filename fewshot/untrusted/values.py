"""Texts and JSON within limits.

What is refused: more bytes than a file of its kind has, values nested deeper than any of ours, numbers that
are not finite or have more than 64 bits, keys that stand twice. Every refusal is a `MalformedError`, a
`ValueError` of one line, so that who reads a file says where.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

DEEPEST = 64  # lists and objects in each other
SMALL, LARGE = 4 << 20, 1 << 30  # bytes of a file that people write, and of one that programs write
SHOWN = 40  # characters of a key in a message
Pairs = list[tuple[str, Any]]


class MalformedError(ValueError):
    """What was read is not well-formed, or larger than it may be; says so in one line."""


def parse_json(text: str | bytes, numbers: bool = True) -> Any:
    """The value of a JSON text.

    Args:
        text: UTF-8 where it is bytes.
        numbers: whether NaN, Infinity and integers of more than 64 bits are refused.

    Raises:
        MalformedError: no JSON, or beyond the limits of this module. Where JSON itself is broken it is a
            `json.JSONDecodeError`, which knows the place.
    """
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise MalformedError(f"values nested deeper than {DEEPEST}") from None
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError:
        raise MalformedError("bytes that are no UTF-8") from None
    except MalformedError:
        raise
    except ValueError:  # Python's own limit on the digits of a number
        raise MalformedError("a number of more than 64 bits") from None
    check_value(value, numbers)
    return value


def read_json(file: Path, most: int = LARGE, numbers: bool = True) -> Any:
    """The value of a JSON file; see `parse_json`.

    Args:
        file: where it is.
        most: bytes that it may have.
        numbers: see `parse_json`.

    Raises:
        OSError: it cannot be read.
        MalformedError: no JSON in UTF-8, or beyond the limits.
    """
    return parse_json(read_text(file, most), numbers)


def read_text(file: Path, most: int = LARGE) -> str:
    """The text of a file.

    Args:
        file: where it is.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read.
        MalformedError: too large, no ordinary file.
        UnicodeDecodeError: no UTF-8.
    """
    with file.open("rb") as content:
        found = content.read(most + 1)
    if len(found) > most:
        raise MalformedError(f"a file of more than {most:,} bytes")
    return found.decode("utf-8")


def bounded_lines(stream: IO[str], most: int) -> Iterator[str]:
    """The lines of a text; what is longer than `most` characters comes cut, one character over.

    A line without an end would else be read until memory is full.
    """
    while line := stream.readline(most + 1):
        yield line
        while len(line) > most and not line.endswith("\n") and (line := stream.readline(most + 1)):
            pass  # the rest of it


def _once(pairs: Pairs) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise MalformedError(f"the key {key[:SHOWN]!r} stands twice in one object")
            seen.add(key)
    return found


def check_value(value: Any, numbers: bool) -> None:
    """Refuses what is beyond the limits. Walks without recursion: a value may be deeper than Python's calls.

    Args:
        value: of lists, objects with text keys and plain values.
        numbers: see `parse_json`.

    Raises:
        MalformedError: too deep, or a number that is none of ours.
    """
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is dict:
                below += each.values()
            elif kind is list:
                below += each
            elif kind is float and numbers and not math.isfinite(each):
                raise MalformedError("a number that is not finite")
            elif kind is int and numbers and not -(2**63) <= each < 2**64:
                raise MalformedError("a number of more than 64 bits")
        depth += any(type(each) in (dict, list) for each in level)
        if depth > DEEPEST:
            raise MalformedError(f"values nested deeper than {DEEPEST}")
        level = below

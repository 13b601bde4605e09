"""Finds the line of a file that a message should name.

The readers of `datasets` speak of rows and blocks; people look for lines. These functions read a
file a second time, slowly, only when something in it is wrong.
"""

import csv
import gzip
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from fewshot.untrusted.values import MalformedError, parse_json

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def ending(file: Path) -> str:
    """The ending that tells the kind of a file: '.jsonl' for `data.jsonl.gz` too."""
    return file.with_suffix("").suffix if file.suffix == ".gz" else file.suffix


def open_text(file: Path) -> io.TextIOBase:
    """The file's text, unpacked if it is gzipped; undecodable bytes become lone surrogates."""
    raw = gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # noqa: SIM115 - handed on
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")


def table_rows(text: io.TextIOBase, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row of a csv file, the header first; blank lines are none."""
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(text, delimiter=delimiter)
    for row in reader:
        if len(row) > 1 or (row and row[0].strip()):
            yield reader.line_num, row


def has_rows(file: Path) -> bool:
    """Whether a text file has a line that is not blank, a csv file one below its header."""
    least = 2 if ending(file) in DELIMITERS else 1
    with open_text(file) as text:
        full = (line for line in text if line.strip())
        return len(list(itertools.islice(full, least))) == least


def locate_bad_row(file: Path, index: int) -> str:
    """Where row `index` (from 0) of a checked file stands: 'line 17' where lines exist."""
    kind = ending(file)
    with open_text(file) as text:
        lines: Iterator[int] = iter(())
        if kind == ".jsonl":
            lines = (number for number, line in enumerate(text, 1) if line.strip())
        elif kind in DELIMITERS:
            lines = (number for number, _ in itertools.islice(table_rows(text, DELIMITERS[kind]), 1, None))
        number = next(itertools.islice(lines, index, None), None)
    return f"line {number}" if number else f"row {index + 1}"


def locate_odd_value(file: Path, column: str) -> tuple[int | None, str | None]:
    """The first line whose value is a list or an object, or of another kind than those before it."""
    kinds = set()
    with open_text(file) as text:
        for number, line in enumerate(text if ending(file) == ".jsonl" else (), 1):
            value = (
                parse_json(line, numbers=False).get(column)
                if line.strip() and not _wrong_json(line)
                else None
            )
            if value is not None:
                kinds.add(float if type(value) is int else type(value))
            if len(kinds) > 1 or kinds & {list, dict}:
                return number, json.dumps(value, ensure_ascii=False)[:60]
    return None, None


def locate_broken_line(file: Path) -> tuple[int | None, str | None]:
    """The first line that cannot be parsed and what is wrong with it; (None, None) if none is."""
    kind = ending(file)
    found: Iterator[tuple[int, str | None]] = iter(())
    with open_text(file) as text:
        if kind in DELIMITERS:
            found = _wrong_cells(text, DELIMITERS[kind])
        elif kind == ".jsonl" or (kind == ".json" and not holds_list(file)):
            found = ((number, _wrong_json(line)) for number, line in enumerate(text, 1))
        return next(((number, wrong) for number, wrong in found if wrong), (None, None))


def holds_list(file: Path) -> bool:
    """Whether a JSON file begins as one list, and not as an object a line."""
    with open_text(file) as text:
        return text.read(1) == "["


def _wrong_cells(text: io.TextIOBase, delimiter: str) -> Iterator[tuple[int, str | None]]:
    rows = table_rows(text, delimiter)
    first, header = next(rows, (1, []))
    width = len(header)
    yield first, _wrong_bytes("".join(header))
    for number, row in rows:
        more = f"{len(row)} cells under a header of {width}" if len(row) > width else None
        yield number, _wrong_bytes("".join(row)) or more


def _wrong_json(line: str) -> str | None:
    if not line.strip():
        return None
    if _wrong_bytes(line):
        return _wrong_bytes(line)
    try:
        value = parse_json(line.rstrip("\r\n"), numbers=False)
    except json.JSONDecodeError as error:
        return f"{error.msg} at column {error.colno}: {line.strip()[:60]!r}"
    except MalformedError as error:
        return f"{error}: {line.strip()[:60]!r}"
    return None if isinstance(value, dict) else f"not an object: {line.strip()[:60]!r}"


def _wrong_bytes(text: str) -> str | None:
    return "bytes that are not UTF-8" if any("\udc80" <= sign <= "\udcff" for sign in text) else None

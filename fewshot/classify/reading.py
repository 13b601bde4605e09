"""Texts and labelled examples from files and from standard input."""

import csv
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fewshot.classify.examples import Labelled, labelled
from fewshot.data.find import Columns
from fewshot.data.pool import Pool
from fewshot.errors import InputError, listing
from fewshot.untrusted.values import MalformedError, bounded_lines, parse_json

Format = Literal["auto", "text", "jsonl", "csv"]
STANDARD = "-"
LONGEST = 1_000_000  # signs of a line; a longer one is a fault


@dataclass(frozen=True)
class Line:
    """A text to be answered.

    Args:
        number: of its line, from 1.
        text: what stands there.
    """

    number: int
    text: str


def read_support(source: str, text: str = "text", label: str = "label", least: int = 2) -> Labelled:
    """The examples of a file, or of standard input, which is read to its end.

    Args:
        source: jsonl, csv, tsv or parquet, a folder, a name inside FEWSHOT_DATA, a hub id; '-' for JSON lines
            of standard input.
        text: the column with the text.
        label: the column with the class, or with the answer.
        least: how many classes there have to be.

    Raises:
        InputError: nothing there, a row without text or label, one class alone.
    """
    if source == STANDARD:
        rows = [_row(content, number, (text, label)) for number, content in _numbered(sys.stdin)]
        return labelled([row[text] for row in rows], [row[label] for row in rows], "standard input", least)
    pool = Pool.load(source, Columns(text=text, label=label))
    examples = [example for name in pool.classes for example in pool.all_of(name)]
    return labelled([e.text for e in examples], [e.label for e in examples], pool.name, least)


def read_texts(source: str, kind: Format, column: str, wrong: Callable[[InputError], None]) -> Iterator[Line]:
    """The texts of a file or of standard input, as they come.

    Args:
        source: a path, or '-'.
        kind: 'text' for a text a line, 'jsonl' for objects with a text, 'csv' for a table with a header;
            'auto' takes csv by the name of the file, and a line that is a JSON object with a text as such.
        column: the field or column with the text.
        wrong: called for a line that cannot be read, which is left out then; it may raise what it is given.

    Raises:
        InputError: no such file, a table without the column.
    """
    if source == STANDARD:
        yield from _lines(sys.stdin, kind, column, wrong, "standard input")
        return
    path = Path(source)
    if kind == "auto" and path.suffix == ".csv":
        kind = "csv"
    try:
        with path.open(encoding="utf-8", newline="" if kind == "csv" else None) as stream:
            yield from _lines(stream, kind, column, wrong, source)
    except OSError as error:
        raise InputError(
            "the texts cannot be read",
            where=source,
            got=error.strerror,
            needed="a file, or - for standard input",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("the texts are not in UTF-8", where=source, got=str(error)) from error


def _lines(
    stream: io.TextIOBase | Any, kind: Format, column: str, wrong: Callable[[InputError], None], where: str
) -> Iterator[Line]:
    if kind == "csv":
        yield from _table(stream, column, where)
        return
    for number, content in _numbered(stream):
        try:
            text = content if kind == "text" else _text(content, number, column, kind, where)
            if not text.strip():
                raise InputError(
                    "an empty text", where=f"{where}, line {number}", needed="something to label"
                )
        except InputError as error:
            wrong(error)
            continue
        yield Line(number, text)


def _numbered(stream: Any) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers."""
    for number, line in enumerate(bounded_lines(stream, LONGEST), 1):
        if line.strip():
            yield number, line.rstrip("\r\n")


def _text(content: str, number: int, column: str, kind: Format, where: str) -> str:
    if kind == "auto":
        found = _object(content, f"{where}, line {number}")
        return found[column] if found and isinstance(found.get(column), str) else content
    text = _row(content, number, (column,), where)[column]
    if not isinstance(text, str):
        raise InputError(
            "a text is no string", where=f"{where}, line {number}", got=repr(text)[:60], needed="a string"
        )
    return text


def _object(content: str, place: str) -> dict[str, Any] | None:
    """The object that a line is; None where it is a text.

    Raises:
        InputError: an object that is beyond what may be read.
    """
    try:
        found = parse_json(content, numbers=False) if content.lstrip().startswith("{") else None
    except MalformedError as error:
        raise InputError("this line is no JSON that can be read", where=place, got=str(error)) from error
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _row(content: str, number: int, wanted: tuple[str, ...], where: str = "standard input") -> dict[str, Any]:
    """A JSON object with the wanted fields.

    Raises:
        InputError: something else; the message names the line.
    """
    place = f"{where}, line {number}"
    try:
        if len(content) > LONGEST:
            raise ValueError(f"a line of more than {LONGEST:,} signs")
        found = parse_json(content, numbers=False)
    except ValueError as error:
        raise InputError(
            "this line is no JSON",
            where=place,
            got=str(error),
            needed=f"an object with {listing(map(repr, wanted))}",
            fix="mend it, or leave such lines out: --on-error skip",
        ) from error
    if not isinstance(found, dict) or any(name not in found for name in wanted):
        raise InputError(
            "this line lacks a field",
            where=place,
            got=f"the fields {listing(found)}" if isinstance(found, dict) else type(found).__name__,
            needed=f"an object with {listing(map(repr, wanted))}",
            fix="name another field by --text, or leave such lines out: --on-error skip",
        )
    return found


def _table(stream: Any, column: str, where: str) -> Iterator[Line]:
    rows = csv.DictReader(stream)
    if column not in (rows.fieldnames or ()):
        raise InputError(
            f"the table has no column {column!r}",
            where=where,
            got=f"the columns {listing(rows.fieldnames or ())}",
            needed="a header line with the column of the texts",
            fix="name the column by --text",
        )
    for row in rows:
        text = row[column]
        if text and text.strip():
            yield Line(rows.line_num, text)

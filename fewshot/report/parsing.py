"""Files of a run, read with the place of what is damaged."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from fewshot.errors import InputError, listing, with_article
from fewshot.untrusted import values
from fewshot.untrusted.values import MalformedError, parse_json

Row = dict[str, Any]
WHOLE = "the file as the run wrote it"
AGAIN = "evaluate the run again (`fewshot evaluate RUN`), or leave it out of the report"


def damaged(file: Path, place: str, got: object, needed: object = WHOLE) -> NoReturn:
    """Refuses a file.

    Raises:
        InputError: always.
    """
    where = f"{file}, {place}" if place else str(file)
    raise InputError("a file of the run is damaged", where=where, got=got, needed=needed, fix=AGAIN)


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
        InputError: it cannot be read, or is no UTF-8.
    """
    try:
        return values.read_text(file)
    except OSError as error:
        damaged(file, "", error.strerror or error)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        damaged(file, f"line {line}", "bytes that are no UTF-8")
    except MalformedError as error:
        damaged(file, "", error)


def read_json(file: Path, keys: Sequence[str] = ()) -> Row:
    """A JSON object.

    Args:
        file: where it is.
        keys: that it must have.

    Raises:
        InputError: no JSON object, or a key that is missing.
    """
    try:
        content = parse_json(read_text(file), numbers=False)
    except json.JSONDecodeError as error:
        damaged(file, f"line {error.lineno}, column {error.colno}", error.msg)
    except MalformedError as error:
        damaged(file, "", error)
    if not isinstance(content, dict):
        damaged(file, "", with_article(type(content).__name__), "an object")
    if missing := [key for key in keys if key not in content]:
        damaged(file, "", f"no {listing(missing)}")
    return content


def read_lines(file: Path, finished: bool) -> list[Row]:
    """JSON objects of outer steps, one a line; the last line of a run that is not finished may be cut off.

    Raises:
        InputError: another line that is no JSON object.
    """
    if not file.is_file():
        return []
    lines = read_text(file).splitlines()
    found: list[Row] = []
    for number, line in enumerate(lines, 1):
        try:
            content = parse_json(line, numbers=False)
            if not isinstance(content, dict) or not isinstance(content.get("step"), int):
                raise ValueError("no object with a step")
            found.append(content)
        except ValueError as error:
            if finished or number < len(lines):
                damaged(file, f"line {number}", error, "a JSON object with a step in each line")
    return found


def read_rows(file: Path, numbers: Sequence[str], others: Sequence[str] = ()) -> list[Row]:
    """The rows of a csv file, some of its columns as numbers.

    Args:
        file: where it is.
        numbers: columns that it must have, all of whose fields are numbers.
        others: further columns that it must have.

    Raises:
        InputError: a column that is missing, a row of another length, a field that is no number.
    """
    reader = csv.DictReader(read_text(file).splitlines(keepends=True))
    columns = reader.fieldnames or []
    if missing := [name for name in (*numbers, *others) if name not in columns]:
        damaged(file, "line 1", f"no column {listing(missing)}")
    found: list[Row] = []
    for row in reader:
        place = f"line {reader.line_num}"
        if None in row or None in row.values():
            damaged(file, place, "another number of fields than in line 1", f"{len(columns)} fields")
        found.append(row | {name: _number(file, place, name, row) for name in numbers})
    return found


def _number(file: Path, place: str, name: str, row: Mapping[str, str]) -> float:
    try:
        value = float(row[name])
    except ValueError:
        damaged(file, f"{place}, column {name}", repr(row[name]), "a number")
    return value if not math.isinf(value) else math.nan

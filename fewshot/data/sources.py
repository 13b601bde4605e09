"""Opens a source: a file, a folder, a data set of the Hugging Face hub, or rows in memory.

Nothing of its content is checked yet; `rows.py` does.
"""

import contextlib
import glob
import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fewshot.data import arrow
from fewshot.data.catalogue import CATALOGUE, entry_of
from fewshot.data.find import Reference, data_file, data_home, find_source
from fewshot.data.limits import check_folder, check_lines
from fewshot.data.locate import (
    DELIMITERS,
    ending,
    has_rows,
    holds_list,
    locate_broken_line,
    open_text,
    table_rows,
)
from fewshot.data.origin import Origin, digest
from fewshot.data.reading import Reading
from fewshot.errors import InputError, listing, nearest, with_article

READERS = {
    ".jsonl": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".txt": "text",  # a text a line
}
Source: TypeAlias = str | pd.DataFrame | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Opened:
    """A source as it stands.

    Args:
        table: all its columns.
        origin: where it is from.
        file: its one data file, where there is one, to find lines in.
        where: what messages call it.
    """

    table: pa.Table
    origin: Origin
    file: Path | None
    where: str


def open_source(source: Source, reading: Reading) -> Opened:
    """The rows of a source.

    Args:
        source: a file, a folder with `data.jsonl[.gz]` (or with files that `datasets` understands), a bare
            name inside FEWSHOT_DATA, a name of the catalogue, a hub id; or rows in memory.
        reading: which parts, and how many rows of them.

    Raises:
        InputError: nothing of that name, or what cannot be read; the message names the file and the line.
    """
    if not isinstance(source, str):
        return _in_memory(source)
    path = find_source(source)
    if path is None:
        return _from_hub(source, reading)
    file = data_file(path)
    if file:
        return Opened(_read_file(file, reading), Origin(source, sha256=digest([file])), file, str(file))
    files = sorted(each for each in path.rglob("*") if each.is_file())
    table = _read_folder(path, files, reading)
    return Opened(table, Origin(source, sha256=digest(files)), None, str(path))


def _in_memory(rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> Opened:
    where = "the rows in memory"
    try:
        if isinstance(rows, pd.DataFrame):
            table = pa.Table.from_pandas(rows, preserve_index=False)
        else:
            table = pa.Table.from_pylist([_row(row, f"{where}, row {n}") for n, row in enumerate(rows, 1)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            "the rows cannot be read as a table",
            where=where,
            got="; ".join(map(str, error.args)),
            needed="a data frame, or a mapping for each row, with values of the same kind in a column",
        ) from error
    if not table.num_rows:
        raise InputError("there are no rows", where=where, needed="at least one row")
    return Opened(table, Origin("memory"), None, where)


def _row(row: object, where: str) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise InputError(
            "this is no row",
            where=where,
            got=with_article(type(row).__name__),
            needed="a mapping of columns to values",
        )
    return dict(row)


def _read_file(file: Path, reading: Reading) -> pa.Table:
    kind = ending(file)
    if kind not in READERS:
        raise InputError(
            "this kind of file cannot be read",
            where=file,
            got=f"a file that ends in {kind!r}" if kind else "a file without an ending",
            needed=f"one of {listing(READERS)} (jsonl also as .jsonl.gz)",
            fix="convert it, or name another file",
        )
    _check_lines(file)
    try:
        if not (pq.read_metadata(file).num_rows if kind == ".parquet" else has_rows(file)):
            raise InputError("the data file is empty", where=file, got="no rows", needed="at least one row")
        table = arrow.load(
            READERS[kind], reading, where=str(file), data_files=glob.escape(str(file)), **_options(file)
        )
        return _full_lines(table) if kind == ".txt" else table
    except (arrow.UnreadableError, pa.ArrowInvalid, ValueError) as error:
        line, got = locate_broken_line(file)
        raise _unreadable(file, line, got or str(error).splitlines()[0]) from error
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file, None, arrow.first_cause(error)) from error


def _check_lines(file: Path) -> None:
    """Of a text file; a JSON file that is one list may be one line."""
    kind = ending(file)
    if kind in READERS and kind != ".parquet" and not (kind == ".json" and holds_list(file)):
        check_lines(file, json_lines=READERS[kind] == "json")


def _full_lines(table: pa.Table) -> pa.Table:
    return table.filter(pc.not_equal(pc.utf8_length(pc.utf8_trim_whitespace(table.column("text"))), 0))


def _options(file: Path) -> dict[str, Any]:
    """For csv files: every cell is a string as it stands, be it 'NA', '007' or 'True'."""
    if ending(file) not in DELIMITERS:
        return {}
    delimiter = DELIMITERS[ending(file)]
    with open_text(file) as text:
        header, *first = [row for _, row in itertools.islice(table_rows(text, delimiter), 2)]
    if first and len(first[0]) > len(header):
        raise ValueError("a row is longer than the header")  # pandas would take its first cell for an index
    named = [name for name in header if name]
    if not all(name.isprintable() for name in named):  # lone surrogates too: bytes that are not UTF-8
        raise ValueError("the header cannot be printed")
    repeated = [name for name in dict.fromkeys(named) if named.count(name) > 1]
    if repeated:
        raise InputError(
            f"the header has the column {listing(map(repr, repeated))} twice",
            where=f"{file}, line 1",
            got=listing(header),
            needed="a name of its own for each column",
            fix="rename or remove one of them",
        )
    return {"delimiter": delimiter, "keep_default_na": False, "strings": named}


def _unreadable(file: Path, line: int | None, got: str) -> InputError:
    kind = ending(file)
    return InputError(
        "the data file cannot be read",
        where=f"{file}, line {line}" if line else file,
        got=got,
        needed="one JSON object a line, the same fields of the same kinds in each"
        if READERS[kind] == "json"
        else f"a well-formed {kind[1:]} file in UTF-8",
        fix="mend or remove that line" if line else "write the file again",
    )


def _read_folder(path: Path, files: Sequence[Path], reading: Reading) -> pa.Table:
    check_folder(path, files)
    for file in files:
        _check_lines(file)
    try:
        return arrow.load(str(path), reading)
    except (arrow.UnreadableError, OSError, EOFError) as error:
        raise InputError(
            "the folder cannot be read",
            where=path,
            got=arrow.first_cause(error),
            needed="a folder with data.jsonl, or with files that load_dataset understands",
        ) from error


def _from_hub(source: str, reading: Reading) -> Opened:
    entry, reference = entry_of(source), Reference.parse(source)
    if entry:
        named = Reference.parse(entry.hub)
        reference = replace(named, revision=reference.revision or named.revision)
        reading = replace(reading, parts=reading.parts or list(entry.parts) or None)
    commit = arrow.commit(reference)
    pinned = replace(reference, revision=commit or reference.revision)
    try:
        with contextlib.nullcontext() if commit else arrow.offline():
            table = arrow.load(reference.id, reading, pinned)
    except (arrow.UnreadableError, OSError, EOFError) as error:
        raise _not_found(source, arrow.first_cause(error)) from error
    return Opened(table, Origin(source.partition("@")[0], pinned.revision), None, source)


def _not_found(source: str, got: str) -> InputError:
    home, entry = data_home(), entry_of(source)
    own = [child.name for child in home.glob("*") if child.is_dir()] if home else []
    close = nearest(source, {*own, *CATALOGUE})
    return InputError(
        "there is no such data source",
        where=f"source {source!r}" + (f", in the catalogue {entry.hub}" if entry else ""),
        got=got,
        needed="a file, a folder with data.jsonl, a name inside FEWSHOT_DATA "
        f"({home or 'not set'}), a name of the catalogue, or a reachable hub id",
        fix="reach the hub, or set FEWSHOT_DATA to a folder that has it"
        if entry
        else f"did you mean {close!r}?"
        if close
        else "give a path that exists, or set FEWSHOT_DATA to a folder that has it",
    )

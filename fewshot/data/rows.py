"""Checked rows: every one has a label and a text that can be read, all of them strings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fewshot.data.catalogue import entry_of
from fewshot.data.checks import Checks, Mask, without_blanks
from fewshot.data.cleaned import clean_table
from fewshot.data.find import Columns, find_source
from fewshot.data.locate import locate_bad_row
from fewshot.data.origin import Origin
from fewshot.data.reading import Reading
from fewshot.data.sources import Opened, Source, open_source
from fewshot.errors import InputError

UNLABELLED = "text"  # the one class of texts without labels


@dataclass(frozen=True)
class Rows:
    """The rows of a source.

    Args:
        table: the fields of `Example` under their own names, further columns under theirs; strings.
        kept: which rows count; None for all of them.
        origin: where they are from.
        cleaned: how many texts each cleaning step changed, how many rows were left out and why.
    """

    table: pa.Table
    kept: Mask | None
    origin: Origin
    cleaned: dict[str, int]

    def to_list(self) -> list[dict[str, Any]]:
        """The rows that count."""
        table = self.table if self.kept is None else self.table.filter(pa.array(self.kept))
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def read_rows(
    source: Source, columns: Columns | None = None, reading: Reading | None = None, also: Sequence[str] = ()
) -> Rows:
    """The rows of a source, checked and cleaned.

    Args:
        source: see `open_source`.
        columns: where the fields are; a name of the catalogue knows its own.
        reading: which rows, and how their texts are cleaned.
        also: further columns that are wanted; they may have gaps.

    Raises:
        InputError: nothing of that name, an unreadable file, an unknown column, a row without label or
            text; the message names the file and the line.
    """
    reading = reading or Reading()
    opened = open_source(source, reading)
    columns = known_columns(source, columns or Columns(), opened.table.column_names)
    checks = Checks(opened, columns)
    wanted = [*columns.fields().values(), *also]
    checks.columns([*wanted, *(reading.only or {}), *(reading.before or {})])
    checks.kinds(wanted)
    kept = checks.only(reading.only or {})
    before = reading.before or {}
    table = pa.table(
        {field: checks.strings(column, before.get(column)) for field, column in columns.fields().items()}
        | {column: _gaps(checks.strings(column, before.get(column))) for column in also}
    )
    if columns.label is None:
        table = table.append_column("label", pa.array([UNLABELLED] * table.num_rows, pa.string()))
    table = _named_labels(table, columns, opened)
    skips = reading.gaps == "skip" or from_catalogue(source)
    gaps = 0
    for field, column in columns.fields().items():
        if skips:
            kept, count = without_blanks(table.column(field), kept)
            gaps += count
        checks.blank(table.column(field), column, kept)
        checks.readable(table.column(field), column, kept)
    texts = [field for field in columns.fields() if field != "label"]
    table, kept, cleaned = clean_table(table, kept, reading.cleaning, texts)
    checks.labels(table.column("label"), kept)
    return Rows(table, kept, opened.origin, {**({"left out: gaps": gaps} if gaps else {}), **cleaned})


def known_columns(source: Source, columns: Columns, there: Sequence[str]) -> Columns:
    """The columns that are asked for; those of the catalogue where a name of it has no such ones.

    Args:
        source: perhaps a name of the catalogue.
        columns: those that are asked for.
        there: the columns of the data.
    """
    entry = entry_of(str(source)) if from_catalogue(source) else None
    if entry is None or (columns != Columns() and set(columns.fields().values()) <= set(there)):
        return columns
    return replace(entry.columns, label=columns.label and entry.columns.label)


def _gaps(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Empty cells, of a csv file say, as missing values."""
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def from_catalogue(source: Source) -> bool:
    """Whether a source is a name of the catalogue, and nothing on this disk is called so."""
    return isinstance(source, str) and entry_of(source) is not None and find_source(source) is None


def _named_labels(table: pa.Table, columns: Columns, opened: Opened) -> pa.Table:
    """Numbered labels under the names that the user gives them."""
    names = columns.label_names
    if names is None:
        return table
    number = {str(n): name for n, name in enumerate(names)}
    labels = table.column("label").to_pylist()
    wrong = next((n for n, label in enumerate(labels) if label is not None and label not in number), None)
    if wrong is not None:
        place = locate_bad_row(opened.file, wrong) if opened.file else f"row {wrong + 1}"
        raise InputError(
            "a label has no name",
            where=f"{opened.where}, {place}",
            got=repr(labels[wrong]),
            needed=f"a number from 0 to {len(names) - 1}, one for each of columns.label_names",
            fix="name all classes, in the order of their numbers, or leave label_names out",
        )
    named = pa.array([label if label is None else number[label] for label in labels], pa.string())
    return table.set_column(table.column_names.index("label"), "label", pa.chunked_array([named]))

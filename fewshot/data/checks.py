"""What can be wrong with the rows of a source; each message names the file and the line."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fewshot.data.arrow import has_several_kinds
from fewshot.data.clean import fold_spaces
from fewshot.data.find import Columns
from fewshot.data.locate import locate_bad_row, locate_odd_value
from fewshot.data.sources import Opened
from fewshot.errors import InputError, listing, suggestion, with_article

LONGEST = 1_000_000  # signs; a longer text is a fault of the file, such as a quote that is not closed
Mask = npt.NDArray[np.bool_]


class Checks:
    """What can be wrong with the rows of one source."""

    def __init__(self, opened: Opened, columns: Columns) -> None:
        self._table, self._file, self._where = opened.table, opened.file, opened.where
        self._columns = columns
        self._texts = (columns.text, columns.text_pair)

    def columns(self, wanted: Sequence[str]) -> None:
        """Refuses columns that are not there, and one that is named for two fields."""
        fields = self._columns.fields()
        if len(set(fields.values())) < len(fields):
            raise InputError(
                "one column is named for two fields",
                where=self._where,
                got=listing(f"{field}: {column}" for field, column in fields.items()),
                needed="a column of its own for each field",
            )
        known = self._table.column_names
        unknown = [column for column in dict.fromkeys(wanted) if column not in known]
        if unknown:
            own = [column for column in unknown if column in fields.values()]
            raise InputError(
                f"unknown column {listing(map(repr, unknown))}",
                where=self._where,
                got=f"the columns {listing(known)}",
                needed=f"the columns {listing(dict.fromkeys(wanted))}",
                fix=f"name it by columns.text, columns.label: {suggestion(unknown[0], known)}"
                if own
                else suggestion(unknown[0], known),
            )

    def kinds(self, wanted: Sequence[str]) -> None:
        """Refuses what cannot become strings."""
        for column in wanted:
            kind, several = self._table.schema.field(column).type, has_several_kinds(self._table, column)
            if (_is_plain(kind) and not several) or (column in self._texts and _is_tokens(kind)):
                continue
            line, got = locate_odd_value(self._file, column) if self._file else (None, None)
            raise InputError(
                f"the column {column!r} holds values of several kinds, or lists or objects",
                where=f"{self._where}, line {line}" if line else self._where,
                got=got or ("values of several kinds" if several else kind),
                needed="texts only, or numbers only",
                fix="write the same kind of value in every row",
            )

    def strings(self, column: str, before: str | None = None) -> pa.ChunkedArray:
        """A column as strings, tokens joined by blanks; of each what stands before a sign, if any."""
        values = self._table.column(column)
        if _is_tokens(values.type):
            lists = [chunk.cast(pa.list_(pa.string())) for chunk in values.chunks]
            values = pa.chunked_array([pc.binary_join(chunk, " ") for chunk in lists], pa.string())
        values = values if pa.types.is_string(values.type) else values.cast(pa.string())
        return pc.list_element(pc.split_pattern(values, before, max_splits=1), 0) if before else values

    def only(self, wanted: Mapping[str, Sequence[str]]) -> Mask | None:
        """The rows that have one of the wanted values in each column; None for all."""
        kept: Mask | None = None
        for column, values in wanted.items():
            strings = self.strings(column)
            names = [str(value) for value in values]
            there = set(pc.unique(strings).to_pylist())
            absent = [name for name in names if name not in there]
            if absent:
                raise InputError(
                    f"no row has the {column} {absent[0]!r}",
                    where=self._where,
                    got=f"reading.only {column}: {listing(names)}",
                    needed=f"values of that column, of which it has {len(there)}",
                    fix=suggestion(absent[0], (str(value) for value in there if value is not None)),
                )
            mask = pc.fill_null(pc.is_in(strings, pa.array(names)), False).to_numpy()
            kept = mask if kept is None else kept & mask
        return kept

    def blank(self, values: pa.ChunkedArray, column: str, kept: Mask | None) -> None:
        """Refuses a row without a value."""
        row = _first(values, _is_blank, kept)
        if row is None:
            return
        missing = values[row].as_py() is None
        raise InputError(
            f"a row without {with_article(column)}" if missing else f"a row with an empty {column}",
            where=self._place(row),
            got="nothing" if missing else repr(values[row].as_py()),
            needed=f"{with_article(column)} that is not empty in every row",
            fix="fill it in or remove the row",
        )

    def readable(self, values: pa.ChunkedArray, column: str, kept: Mask | None) -> None:
        """Refuses a value that no person wrote: with a NUL byte, or of a million signs."""
        row = _first(values, lambda chunk: pc.match_substring(chunk, "\0"), kept)
        if row is not None:
            raise InputError(
                f"{with_article(column)} with a NUL byte",
                where=self._place(row),
                got=repr(values[row].as_py()[:60]),
                needed="text without control bytes",
                fix="remove the byte; a file in UTF-16 is to be converted to UTF-8",
            )
        row = _first(values, lambda chunk: pc.greater(pc.utf8_length(chunk), LONGEST), kept)
        if row is not None:
            raise InputError(
                f"{with_article(column)} of {len(values[row].as_py()):,} signs",
                where=self._place(row),
                got=f"{values[row].as_py()[:60]!r} ...",
                needed=f"at most {LONGEST:,}",
                fix="look for a quote that is not closed, or cut the text",
            )

    def labels(self, values: pa.ChunkedArray, kept: Mask | None) -> None:
        """Refuses labels that a reader could not tell apart."""
        used = values if kept is None else values.filter(pa.array(kept))
        seen: dict[str, str] = {}
        for label in pc.unique(used).to_pylist():
            other = seen.setdefault(fold_spaces(label), label)
            if other != label:
                raise InputError(
                    "two labels differ by white space alone",
                    where=self._where,
                    got=f"{other!r} and {label!r}",
                    needed="one way to write each label",
                    fix="mend the file, or set reading.cleaning.labels to true",
                )

    def _place(self, row: int) -> str:
        place = locate_bad_row(self._file, row) if self._file else f"row {row + 1}"
        return f"{self._where}, {place}"


def without_blanks(values: pa.ChunkedArray, kept: Mask | None) -> tuple[Mask, int]:
    """The rows that are left when those without a value go, and how many go."""
    full = np.concatenate([~_is_blank(chunk).to_numpy(zero_copy_only=False) for chunk in values.chunks])
    kept = np.ones(len(values), np.bool_) if kept is None else kept
    return kept & full, int((kept & ~full).sum())


def _is_plain(kind: pa.DataType) -> bool:
    return not bool(pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_tokens(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(lists) and bool(
        pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)
    )


def _is_blank(chunk: pa.Array) -> pa.Array:
    return pc.fill_null(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(chunk)), 0), True)


def _first(values: pa.ChunkedArray, wrong: Callable[[pa.Array], pa.Array], kept: Mask | None) -> int | None:
    """The first row of which `wrong` is true; chunk by chunk, as a copy of all would not fit."""
    start = 0
    for chunk in values.chunks:
        found = pc.fill_null(wrong(chunk), False).to_numpy(zero_copy_only=False)
        if kept is not None:
            found = found & kept[start : start + len(chunk)]
        if found.any():
            return start + int(found.argmax())
        start += len(chunk)
    return None

"""Text in: a folder, a jsonl, csv or parquet file, or a data set of the Hugging Face hub.

The only module that imports `datasets`. It returns rows with the fields of `Example` under their
own names, checked: every row has a label and a text that is not empty.
"""

import contextlib
import glob
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fewshot.data.find import Columns, data_file, find_source
from fewshot.data.locate import (
    DELIMITERS,
    ending,
    has_rows,
    locate_bad_row,
    locate_broken_line,
    locate_odd_value,
    open_text,
    table_rows,
)
from fewshot.errors import InputError, listing, suggestion

READERS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}


def read_rows(source: str, columns: Columns | None = None) -> datasets.Dataset:
    """All rows of a source, checked, with the columns `text`, `label` (and `text_pair`), all strings.

    Args:
        source: a file, a folder with `data.jsonl[.gz]` (or with files that `datasets` understands),
            a bare name inside FEWSHOT_DATA, or a hub id.
        columns: where the fields are.

    Raises:
        InputError: nothing of that name, an unreadable file, an unknown column, a row without
            label or text; the message names the file and the line.
    """
    columns = columns or Columns()
    path = find_source(source)
    file = data_file(path) if path else None
    raw = _read_file(file) if file else _load_dataset(source, path)
    where = str(file or path or source)
    _check_columns(raw, columns, where)
    _check_kinds(raw, columns, file, where)
    rows = _as_strings(raw, columns)
    _check_rows(rows, columns, file, where)
    return rows


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps `datasets` from bars, from logging what it raises, and from telling the hub of every file."""
    shown, level = not datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    told = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    try:
        yield
    finally:
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = told
        datasets.logging.set_verbosity(level)
        if shown:
            datasets.enable_progress_bars()


def _reachable(source: str) -> bool:
    """Whether the hub answers for a data set, by one request; `datasets` would try for half a minute."""
    if datasets.config.HF_HUB_OFFLINE:
        return False
    try:
        huggingface_hub.HfApi().dataset_info(source, timeout=10)
    except Exception:  # whatever the reason, the cache is all that is left
        return False
    return True


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Inside, `datasets` looks in its cache alone."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _read_file(file: Path) -> datasets.Dataset:
    kind = ending(file)
    if kind not in READERS:
        raise InputError(
            "this kind of file cannot be read",
            where=file,
            got=f"a file that ends in {kind!r}" if kind else "a file without an ending",
            needed=f"one of {listing(READERS)} (jsonl also as .jsonl.gz)",
            fix="convert it, or name another file",
        )
    try:
        if not (pq.read_metadata(file).num_rows if kind == ".parquet" else has_rows(file)):
            raise InputError("the data file is empty", where=file, got="no rows", needed="at least one row")
        with _quiet():
            rows = datasets.load_dataset(
                READERS[kind], data_files=glob.escape(str(file)), split="train", **_options(file)
            )
        rows.data.validate(full=True)
        return rows
    except (datasets.exceptions.DatasetGenerationError, pa.ArrowInvalid, ValueError) as error:
        line, got = locate_broken_line(file)
        raise _unreadable(file, line, got or _said(error)) from error
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file, None, _said(error)) from error


def _options(file: Path) -> dict[str, object]:
    """For csv files: every cell is a string as it stands, be it 'NA', '007' or 'True'."""
    if ending(file) not in DELIMITERS:
        return {}
    delimiter = DELIMITERS[ending(file)]
    with open_text(file) as text:
        header, *first = [row for _, row in itertools.islice(table_rows(text, delimiter), 2)]
    if first and len(first[0]) > len(header):
        raise ValueError("a row is longer than the header")  # pandas would take its first cell for an index
    features = datasets.Features({name: datasets.Value("string") for name in header if name})
    return {"delimiter": delimiter, "keep_default_na": False, "features": features}


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


def _said(error: BaseException) -> str:
    """The first line of what the first cause of an error said."""
    while error.__cause__:
        error = error.__cause__
    return (str(error) or type(error).__name__).splitlines()[0]


def _load_dataset(source: str, path: Path | None) -> datasets.Dataset:
    try:
        with _quiet(), contextlib.nullcontext() if path or _reachable(source) else _offline():
            parts = datasets.load_dataset(str(path or source))
        rows = datasets.concatenate_datasets(list(parts.values()))
        rows.data.validate(full=True)
        return rows
    except Exception as error:  # the hub client raises many kinds; all mean the same to the user
        if path:
            raise InputError(
                "the folder cannot be read",
                where=path,
                got=_said(error),
                needed="a folder with data.jsonl, or with files that load_dataset understands",
            ) from error
        home = os.environ.get("FEWSHOT_DATA")
        known = sorted(child.name for child in Path(home).glob("*") if child.is_dir()) if home else []
        raise InputError(
            "there is no such data source",
            where=f"source {source!r}",
            got=_said(error),
            needed="a file, a folder with data.jsonl, a name inside FEWSHOT_DATA "
            f"({home or 'not set'}), or a reachable hub id",
            fix=suggestion(source, known) if known else "set FEWSHOT_DATA, or give a path",
        ) from error


def _check_columns(raw: datasets.Dataset, columns: Columns, where: str) -> None:
    named = list(columns.fields().values())
    if len(set(named)) < len(named):
        raise InputError(
            "one column is named for two fields",
            where=where,
            got=listing(f"{field}: {column}" for field, column in columns.fields().items()),
            needed="a column of its own for each field",
        )
    unknown = [column for column in columns.fields().values() if column not in raw.column_names]
    if unknown:
        raise InputError(
            f"unknown column {listing(map(repr, unknown))}",
            where=where,
            got=f"the columns {listing(raw.column_names)}",
            needed=f"the columns {listing(columns.fields().values())}",
            fix=f"name it by columns.text, columns.label: {suggestion(unknown[0], raw.column_names)}",
        )


def _check_kinds(raw: datasets.Dataset, columns: Columns, file: Path | None, where: str) -> None:
    for column in columns.fields().values():
        if isinstance(raw.features[column], datasets.Value | datasets.ClassLabel):
            continue
        line, got = locate_odd_value(file, column) if file else (None, None)
        raise InputError(
            f"the column {column!r} holds values of several kinds, or lists or objects",
            where=f"{where}, line {line}" if line else where,
            got=got or raw.features[column],
            needed="texts only, or numbers only",
            fix="write the same kind of value in every row",
        )


def _as_strings(raw: datasets.Dataset, columns: Columns) -> datasets.Dataset:
    """Only the fields of an example, renamed; numbered labels become their names."""
    label = raw.features[columns.label]
    if isinstance(label, datasets.ClassLabel):
        names = pa.array(label.names)
        numbers = raw.data.column(columns.label).combine_chunks()
        numbers = pc.if_else(pc.less(numbers, 0), None, numbers)  # -1 is the hub's way to say: no label
        raw = raw.remove_columns(columns.label).add_column(columns.label, pc.take(names, numbers).to_pylist())
    rows = raw.select_columns(list(columns.fields().values()))
    rows = rows.rename_columns(
        {column: field for field, column in columns.fields().items() if column != field}
    )
    with _quiet():
        return rows.cast(datasets.Features({field: datasets.Value("string") for field in columns.fields()}))


def _check_rows(rows: datasets.Dataset, columns: Columns, file: Path | None, where: str) -> None:
    for field, column in columns.fields().items():
        values = rows.data.column(field)
        blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(values), ""), True)
        index = pc.index(blank, True).as_py()
        if index < 0:
            continue
        missing = values[index].as_py() is None
        place = locate_bad_row(file, index) if file else f"row {index + 1}"
        raise InputError(
            f"a row without a {column}" if missing else f"a row with an empty {column}",
            where=f"{where}, {place}",
            got="nothing" if missing else repr(values[index].as_py()),
            needed=f"a {column} that is not empty in every row",
            fix="fill it in or remove the row",
        )

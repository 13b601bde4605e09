"""Arrow tables by `datasets`: the only module that imports it. Memory-mapped where they come from files."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.compute as pc

from fewshot.data.find import Reference
from fewshot.data.reading import Reading
from fewshot.errors import InputError, listing, suggestion

PART = "split"  # the column that says which part of a folder or a hub data set a row is from
SEVERAL = b"several kinds"  # marks a column in the schema of a table
BATCH = 1000  # rows of a stream at a time


class UnreadableError(Exception):
    """`datasets` could not make a table; says its first cause in one line."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(first_cause(cause))


def load(
    name: str,
    reading: Reading,
    reference: Reference = Reference(""),
    strings: Sequence[str] | None = None,
    where: str | None = None,
    **options: object,
) -> pa.Table:
    """All wanted parts, one after another, with a column that tells them apart where there are several.

    Args:
        name: a reader of `datasets`, a folder, or the id of a hub data set.
        reading: which parts, and how many rows of them.
        reference: subset and revision of a hub data set.
        strings: the columns, where all their values are strings as they stand.
        where: what messages call it, if not by its name.
        options: of the reader.

    Raises:
        InputError: a part that is not there.
        UnreadableError: everything else.
    """
    if strings is not None:
        options["features"] = datasets.Features({column: datasets.Value("string") for column in strings})
    try:
        with _quiet():
            parts = datasets.load_dataset(
                name,
                reference.subset,
                revision=reference.revision,
                streaming=reading.stream is not None,
                **options,
            )
            wanted = _wanted(parts, reading, where or name)
            tables = {part: _table(parts[part], reading.stream) for part in wanted}
        if len(parts) > 1:
            tables = {part: _labelled(table, part) for part, table in tables.items()}
        table = pa.concat_tables(tables.values(), promote_options="default")
        table.validate(full=True)
        return table
    except (InputError, OSError, EOFError):
        raise
    except Exception as error:  # the library and its clients raise many kinds
        raise UnreadableError(error) from error


def commit(reference: Reference) -> str | None:
    """The commit a hub data set is at; None where the hub does not answer one request."""
    if datasets.config.HF_HUB_OFFLINE:
        return None
    try:
        api = huggingface_hub.HfApi()
        found = api.dataset_info(reference.id, revision=reference.revision, timeout=10)
    except Exception:  # whatever the reason, the cache is all that is left; `datasets` would try for long
        return None
    return found.sha


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Inside, `datasets` looks in its cache alone."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def first_cause(error: BaseException) -> str:
    """The first line of what the first cause of an error said."""
    while error.__cause__:
        error = error.__cause__
    return (str(error) or type(error).__name__).splitlines()[0]


def _wanted(parts: Mapping[str, Any], reading: Reading, name: str) -> list[str]:
    wanted = reading.parts or list(parts)
    absent = [part for part in wanted if part not in parts]
    if absent:
        raise InputError(
            f"there is no part {absent[0]!r}",
            where=name,
            got=f"reading.parts {listing(wanted)}",
            needed=f"some of {listing(parts)}",
            fix=suggestion(absent[0], parts),
        )
    return wanted


def _table(part: Any, stream: int | None) -> pa.Table:
    """A part; of a stream the first rows, and nothing behind them is fetched."""
    if stream is None:
        return _named(part.data.table, part.features)
    batches = list(part.with_format("arrow").take(stream).iter(batch_size=BATCH))
    return _named(pa.concat_tables(batches), part.features or {})


def _named(table: pa.Table, features: Mapping[str, Any]) -> pa.Table:
    """Numbered classes under their names (-1 is the hub's way to say: no label), columns of JSON marked."""
    for column, feature in features.items():
        number = table.column_names.index(column)
        if type(feature).__name__ == "Json":
            field = table.schema.field(column).with_metadata({SEVERAL: b""})
            table = table.set_column(number, field, table.column(column))
        if isinstance(feature, datasets.ClassLabel):
            numbers = table.column(column).combine_chunks()
            names = pc.take(pa.array(feature.names), pc.if_else(pc.less(numbers, 0), None, numbers))
            table = table.set_column(number, column, names)
    return table


def has_several_kinds(table: pa.Table, column: str) -> bool:
    """Whether a column holds values of several kinds, which `datasets` keeps as JSON."""
    return SEVERAL in (table.schema.field(column).metadata or {})


def _labelled(table: pa.Table, part: str) -> pa.Table:
    if PART in table.column_names:
        return table
    zeros = pa.array([0]).take(pa.nulls(table.num_rows, pa.int32()).fill_null(0)).cast(pa.int32())
    column = pa.DictionaryArray.from_arrays(zeros, pa.array([part]))
    return table.append_column(PART, column.cast(pa.string()))


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

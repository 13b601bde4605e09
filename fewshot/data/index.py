"""Which rows a class has: the index of a pool, made once, in Arrow and NumPy columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fewshot.data.checks import Mask
from fewshot.data.clean import normalised

Indices = npt.NDArray[np.signedinteger[Any]]  # 32 bits where they suffice
Keys = npt.NDArray[np.uint64]
AT_ONCE = 100_000  # rows whose texts are Python objects at the same time
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits spread: two columns' hashes do not cancel out


@dataclass(frozen=True)
class Codes:
    """A column of few values.

    Args:
        numbers: the number of each row's value, (rows,); -1 where there is none.
        values: by number.
    """

    numbers: npt.NDArray[np.int32]
    values: tuple[str, ...]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "Codes":
        """The values of a column of strings, sorted."""
        encoded = column.dictionary_encode().combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):  # more than one, or none
            encoded = (
                pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([]).dictionary_encode()
            )
        names = [str(name) for name in encoded.dictionary.to_pylist()]
        order = sorted(range(len(names)), key=names.__getitem__)
        rank = np.full(len(names) + 1, -1, np.int32)  # the last is for rows without a value
        rank[order] = np.arange(len(names), dtype=np.int32)
        numbers = encoded.indices.fill_null(len(names)).to_numpy()
        return cls(rank[numbers], tuple(names[n] for n in order))


def index_rows(
    table: pa.Table,
    kept: Mask | None,
    also: dict[str, Codes],
    duplicates: Literal["class", "pool"] = "class",
    per_class: int | None = None,
) -> tuple[dict[str, Indices], dict[str, int]]:
    """The rows of each class, in their order; a text that repeats counts once.

    Args:
        table: columns `text`, `label` and perhaps `text_pair`.
        kept: which rows count; None for all.
        also: further columns; rows that differ in one of them are no repetition.
        duplicates: see `Cleaning`.
        per_class: the most rows of a class.

    Returns:
        Class -> row numbers, classes sorted; and how many rows were left out and why.
    """
    labels = Codes.of(table.column("label"))
    texts = [name for name in ("text", "text_pair") if name in table.column_names]
    codes = [labels.numbers, *(each.numbers for each in also.values())]
    rows: Indices = np.arange(table.num_rows, dtype=np.int32 if table.num_rows < 1 << 31 else np.int64)
    rows = rows if kept is None else rows[kept]
    alike = duplicates == "pool"
    key = _text_keys(table, texts, alike)[rows]
    left: dict[str, int] = {}
    if alike:
        rows, left["left out: several classes"] = _one_label(rows, key, labels.numbers[rows])
        key = _text_keys(table, texts, alike)[rows]
    for numbers in codes:
        key = key * MIX + numbers[rows].astype(np.uint64)
    first = _first_of_each(key)
    left["left out: repeated"] = len(rows) - len(first)
    rows = rows[first]
    order = rows[np.argsort(labels.numbers[rows], kind="stable")]
    counts = np.bincount(labels.numbers[order], minlength=len(labels.values))
    parts = np.split(order, np.cumsum(counts)[:-1])
    found = {name: part[:per_class] for name, part in zip(labels.values, parts, strict=True) if len(part)}
    return found, {reason: number for reason, number in left.items() if number}


def _text_keys(table: pa.Table, columns: Sequence[str], alike: bool) -> Keys:
    """A 64-bit hash of each row's texts; among ten million rows two meet by chance once in 300,000 tables."""
    key = np.zeros(table.num_rows, np.uint64)
    for column in columns:
        key = key * MIX + np.concatenate([_hashes(chunk, alike) for chunk in _chunks(table.column(column))])
    return key


def _chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    return [chunk.slice(at, AT_ONCE) for chunk in column.chunks for at in range(0, len(chunk), AT_ONCE)]


def _hashes(chunk: pa.Array, alike: bool) -> Keys:
    texts = chunk.to_numpy(zero_copy_only=False)
    if alike:
        texts = np.array([normalised(text or "") for text in texts], dtype=object)
    hashes: Keys = pd.util.hash_array(texts, categorize=False)
    return hashes


def _first_of_each(key: Keys) -> Indices:
    """Positions, ascending, of the first row of each key."""
    order = np.argsort(key, kind="stable")
    fresh = np.ones(len(key), np.bool_)
    fresh[1:] = key[order][1:] != key[order][:-1]
    return np.sort(order[fresh])


def _one_label(rows: Indices, key: Keys, labels: npt.NDArray[np.int32]) -> tuple[Indices, int]:
    """The rows whose text stands in one class alone, and how many others there are."""
    _, group = np.unique(key, return_inverse=True)
    least = np.full(group.max(initial=-1) + 1, np.iinfo(np.int32).max, np.int32)
    most = np.full_like(least, -1)
    np.minimum.at(least, group, labels)
    np.maximum.at(most, group, labels)
    alone = (least == most)[group]
    return rows[alone], int((~alone).sum())

"""Rows of an Arrow table, a few at a time: the row access of `datasets` takes 50 microseconds a row."""

from collections.abc import Sequence
from ctypes import string_at

import numpy as np
import pyarrow as pa

from fewshot.data.example import Example
from fewshot.data.index import Indices


class Table:
    """Examples by their row number.

    Args:
        table: columns `text` and perhaps `text_pair`; stays where it is, on disk if it is memory-mapped.
    """

    def __init__(self, table: pa.Table) -> None:
        self._text = _Column(table.column("text"))
        self._pair = _Column(table.column("text_pair")) if "text_pair" in table.column_names else None

    def examples(self, rows: Indices, labels: Sequence[str]) -> list[Example]:
        """The examples of these rows, which have these labels."""
        texts = self._text.values(rows)
        if self._pair is None:
            return list(map(Example, texts, labels))
        return list(map(Example, texts, labels, self._pair.values(rows)))

    def texts(self, rows: Indices) -> list[str]:
        """The texts of these rows, those of a pair joined by a line break."""
        texts = self._text.values(rows)
        if self._pair is None:
            return texts
        return ["\n".join(pair) for pair in zip(texts, self._pair.values(rows), strict=True)]


class _Column:
    """Strings by row number, read where Arrow's buffers have them: its own scalars take 3 microseconds each.

    Where each begins and how long it is are kept in memory, 8 to 12 bytes a row; the texts stay on disk.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._chunks = [chunk for chunk in column.chunks if len(chunk)]  # the addresses hold as long as these
        self._base = min((_address(chunk) for chunk in self._chunks), default=0)
        ends = max((_address(chunk) + _size(chunk) for chunk in self._chunks), default=0)
        self._begins = np.empty(len(column), np.uint32 if ends - self._base < 1 << 32 else np.int64)
        self._lengths = np.empty(len(column), np.int32)
        first = 0
        for chunk in self._chunks:
            offsets = np.frombuffer(chunk.buffers()[1], np.int32)[
                chunk.offset : chunk.offset + len(chunk) + 1
            ]
            own = slice(first, first + len(chunk))
            self._begins[own] = offsets[:-1].astype(np.int64) + (_address(chunk) - self._base)
            self._lengths[own] = np.diff(offsets)
            first += len(chunk)

    def __reduce__(self) -> tuple[type["_Column"], tuple[pa.ChunkedArray]]:
        """A copy, here or in another process, has addresses of its own."""
        return _Column, (pa.chunked_array(self._chunks, pa.string()),)

    def values(self, rows: Indices) -> list[str]:
        places = zip(self._begins[rows].tolist(), self._lengths[rows].tolist(), strict=True)
        return [string_at(self._base + begin, length).decode() for begin, length in places]


def _address(chunk: pa.Array) -> int:
    content = chunk.buffers()[2]
    return content.address if content is not None else 0


def _size(chunk: pa.Array) -> int:
    content = chunk.buffers()[2]
    return content.size if content is not None else 0

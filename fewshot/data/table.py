"""Rows of an Arrow table, a few at a time: the row access of `datasets` takes 50 microseconds a row."""

from collections.abc import Sequence
from ctypes import string_at

import numpy as np
import numpy.typing as npt
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

    Where each string begins and how long it is are kept in memory, 12 bytes a row; the texts stay on disk.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._chunks = [chunk for chunk in column.chunks if len(chunk)]  # the addresses hold as long as these
        begins, lengths = zip(*map(_places, self._chunks), strict=True) if self._chunks else ([], [])
        self._begins = np.concatenate(begins) if begins else np.array([], np.int64)
        self._lengths = np.concatenate(lengths) if lengths else np.array([], np.int32)

    def values(self, rows: Indices) -> list[str]:
        places = zip(self._begins[rows].tolist(), self._lengths[rows].tolist(), strict=True)
        return [string_at(begin, length).decode() for begin, length in places]


def _places(chunk: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The address and the length in bytes of each string of a chunk."""
    _, offsets, content = chunk.buffers()
    own = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    address = content.address if content is not None else 0
    return own[:-1].astype(np.int64) + address, np.diff(own)

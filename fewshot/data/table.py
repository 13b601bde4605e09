"""Rows of an Arrow table, a few at a time: the row access of `datasets` takes 50 microseconds a row."""

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

    def examples(self, rows: Indices, label: str) -> list[Example]:
        """The examples of these rows, which all have this label."""
        texts = self._text.values(rows)
        if self._pair is None:
            return [Example(text, label) for text in texts]
        return [
            Example(*each) for each in zip(texts, [label] * len(texts), self._pair.values(rows), strict=True)
        ]

    def texts(self, rows: Indices) -> list[str]:
        """The texts of these rows, those of a pair joined by a line break."""
        texts = self._text.values(rows)
        if self._pair is None:
            return texts
        return ["\n".join(pair) for pair in zip(texts, self._pair.values(rows), strict=True)]


class _Column:
    def __init__(self, column: pa.ChunkedArray) -> None:
        self._chunks = column.chunks
        self._ends = np.cumsum([len(chunk) for chunk in self._chunks])
        self._starts = np.concatenate([[0], self._ends])

    def values(self, rows: Indices) -> list[str]:
        chunk = np.searchsorted(self._ends, rows, side="right")
        place = rows - self._starts[chunk]
        chunks = self._chunks
        return [chunks[c][n].as_py() for c, n in zip(chunk.tolist(), place.tolist(), strict=True)]

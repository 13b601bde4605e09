"""The texts of a table after the cleaning steps, with counts of what was done."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from fewshot.data.checks import Mask
from fewshot.data.clean import Cleaning, Step, apply, fold_spaces


def clean_table(
    table: pa.Table, kept: Mask | None, cleaning: Cleaning, fields: Sequence[str]
) -> tuple[pa.Table, Mask | None, dict[str, int]]:
    """Cleans the texts of the rows that count.

    Args:
        table: strings.
        kept: which rows count; None for all.
        cleaning: what is done.
        fields: the columns with texts.

    Returns:
        The table (its cleaned columns in memory), the rows that are left, and how many texts each step
        changed, how many rows were left out and why.
    """
    counts: Counter[str] = Counter()
    steps = cleaning.functions()
    for field in fields if steps else ():
        table = _replaced(table, field, _stepped(table.column(field), kept, steps, counts))
    if cleaning.labels:
        folded = [label and fold_spaces(label) for label in table.column("label").to_pylist()]
        table = _replaced(table, "label", pa.chunked_array([pa.array(folded, pa.string())]))
    if steps or cleaning.limits:
        kept = np.ones(table.num_rows, np.bool_) if kept is None else kept.copy()
        columns = [table.column(field).to_pylist() for field in fields]
        for number, texts in enumerate(zip(*columns, strict=True)):
            if kept[number] and not all(text.strip() for text in texts):
                counts["left out: nothing left"] += 1
                kept[number] = False
            elif kept[number] and not cleaning.fits(texts[0]):
                counts["left out: length"] += 1
                kept[number] = False
    return table, kept, dict(counts)


def _replaced(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _stepped(
    column: pa.ChunkedArray, kept: Mask | None, steps: Sequence[tuple[str, Step]], counts: Counter[str]
) -> pa.ChunkedArray:
    chunks, row = [], 0
    for chunk in column.chunks:
        texts = chunk.to_pylist()
        for place in range(len(texts)):
            if kept is None or kept[row]:
                for step in steps:
                    changed = apply(step, texts[place])
                    counts[step[0]] += changed != texts[place]
                    texts[place] = changed
            row += 1
        chunks.append(pa.array(texts, pa.string()))
    return pa.chunked_array(chunks, pa.string())

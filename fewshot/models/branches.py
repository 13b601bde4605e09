"""Rows that branch: one beginning, read once, and several continuations of it that do not see each other.

Such as a prompt with all class names that are scored after it.
"""

from array import array
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

BRANCHES = "branches"  # of a row: tokens of its beginning, then of each continuation
Row = Mapping[str, Sequence[int]]


def sizes_of(row: Row) -> tuple[int, ...]:
    """Tokens of the beginning of a row, then of each continuation."""
    return tuple(row.get(BRANCHES) or (len(row["input_ids"]),))


def positions(sizes: Sequence[int]) -> Tensor:
    """How many tokens each token of a row comes behind, (L,)."""
    first, *others = sizes
    return torch.cat([torch.arange(first), *(torch.arange(first, first + size) for size in others)])


def numbers(sizes: Sequence[int]) -> Tensor:
    """The continuation that each token of a row belongs to, from 1; 0 in its beginning, (L,)."""
    return torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))


def unfolded(row: Row) -> list[dict[str, Sequence[int]]]:
    """The beginning with each continuation, as rows that do not branch."""
    first, *others = sizes_of(row)
    starts = [first + sum(others[:n]) for n in range(len(others))]
    ends = list(zip(starts, others, strict=True)) or [(first, 0)]
    return [
        {name: [*values[:first], *values[at : at + size]] for name, values in row.items() if name != BRANCHES}
        for at, size in ends
    ]


def folded(row: Row, states: Sequence[Tensor]) -> Tensor:
    """What the tokens of a row have, (L, ...), from what those of its unfolded rows have, (L', ...) each."""
    first = sizes_of(row)[0]
    return torch.cat([states[0][:first], *(each[first:] for each in states)])


def row_of(ids: Tensor, types: Tensor | None, sizes: Sequence[int]) -> dict[str, Sequence[int]]:
    """A row again from its tokens (L,), in some models their types (L,), and its sizes, or none."""
    row: dict[str, Sequence[int]] = {"input_ids": ids.tolist(), "attention_mask": [1] * len(ids)}
    row |= {} if types is None else {"token_type_ids": types.tolist()}
    return row | ({BRANCHES: sizes} if sizes else {})


def key_of(row: Row) -> bytes:
    """What the frozen states of a row depend on."""
    branches = [-1, *row[BRANCHES]] if len(row.get(BRANCHES, ())) > 1 else []
    return array("l", [*row["input_ids"], *row.get("token_type_ids", ()), *branches]).tobytes()

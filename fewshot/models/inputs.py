"""Tokenised rows as a backbone takes them: packed one after another, or in padded buckets."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal, TypeVar

import torch
from torch import Tensor

from fewshot.models.branches import BRANCHES, sizes_of
from fewshot.models.buckets import cut_buckets
from fewshot.models.packing import OVERHEAD, Packing
from fewshot.models.segments import Segments

Tokens = Mapping[str, Sequence[int]]
Pooling = Literal["mean", "cls"]
T = TypeVar("T")


class Part(ABC):
    """Some rows of a batch that the backbone takes at once, in the order of their tasks."""

    ids: Tensor
    types: Tensor | None  # which text of a pair
    segments: Segments

    @abstractmethod
    def to(self, device: torch.device) -> "Part":
        """The same rows on a device."""

    @property
    @abstractmethod
    def attention_tokens(self) -> int:
        """Tokens that attention computes, padding included."""

    @property
    @abstractmethod
    def starts(self) -> list[int]:
        """Where each row begins among the tokens of `ids`, these as one list."""

    @abstractmethod
    def pool(self, hidden: Tensor, pooling: Pooling) -> Tensor:
        """One feature a row, (B, H), from the last states, shaped as `ids` with H behind."""


@dataclass(frozen=True)
class Bucket(Part):
    """Rows padded to the longest of them.

    Args:
        ids: token numbers, (B, L) int64.
        mask: 1 for a token, 0 for padding, (B, L) int64.
        types: (B, L), or None for models without them.
        segments: the tokens of each task, with padding.
    """

    ids: Tensor
    mask: Tensor
    types: Tensor | None
    segments: Segments

    def to(self, device: torch.device) -> "Bucket":
        """The same rows on a device."""
        types = None if self.types is None else self.types.to(device)
        return replace(self, ids=self.ids.to(device), mask=self.mask.to(device), types=types)

    @property
    def attention_tokens(self) -> int:
        """B * L."""
        return self.ids.numel()

    @property
    def starts(self) -> list[int]:
        """Every L tokens."""
        return list(range(0, self.ids.numel(), self.ids.shape[1]))

    def pool(self, hidden: Tensor, pooling: Pooling) -> Tensor:
        """From (B, L, H)."""
        if pooling == "cls":
            return hidden[:, 0]
        weight = self.mask.to(hidden.dtype)[..., None]
        return (hidden * weight).sum(1) / weight.sum(1)


@dataclass(frozen=True)
class Packed(Part):
    """Rows one after another.

    Args:
        ids: token numbers, (1, N) int64; what is filled up repeats the first.
        types: (1, N), or None for models without them.
        segments: the tokens of each task, the last task's with what is filled up.
        packing: where each row begins and ends.
        states: what enters the first adapted block, (1, N, H); None until it is computed.
    """

    ids: Tensor
    types: Tensor | None
    segments: Segments
    packing: Packing
    states: Tensor | None = None

    def to(self, device: torch.device) -> "Packed":
        """The same rows on a device."""
        types = None if self.types is None else self.types.to(device)
        return replace(self, ids=self.ids.to(device), types=types, packing=self.packing.to(device))

    @property
    def attention_tokens(self) -> int:
        """The places of all groups."""
        return sum(group.slots * group.length for group in self.packing.groups)

    @property
    def starts(self) -> list[int]:
        """One row behind the other."""
        return [0, *accumulate(self.packing.lengths)][:-1]

    def pool(self, hidden: Tensor, pooling: Pooling) -> Tensor:
        """From (1, N, H)."""
        tokens = hidden[0, : self.packing.tokens]
        if pooling == "cls":
            return tokens[self.packing.positions[: len(tokens)] == 0]
        rows = len(self.packing.lengths)
        sums = hidden.new_zeros(rows, hidden.shape[-1]).index_add(0, self.packing.row, tokens)
        return sums / torch.tensor(self.packing.lengths).to(hidden)[:, None]


@dataclass(frozen=True)
class TextInputs:
    """The rows of a batch.

    Args:
        parts: every row stands in one of them.
        restore: the position of each row of the batch in the concatenated parts, (R,).
        tokens: real tokens of all rows.
    """

    parts: tuple[Part, ...]
    restore: Tensor
    tokens: int

    @property
    def padded_tokens(self) -> int:
        """Tokens that linear maps compute, padding included."""
        return sum(part.ids.numel() for part in self.parts)

    @property
    def attention_tokens(self) -> int:
        """Tokens that attention computes, padding included."""
        return sum(part.attention_tokens for part in self.parts)

    def to(self, device: torch.device) -> "TextInputs":
        """The same inputs on a device."""
        parts = tuple(part.to(device) for part in self.parts)
        return replace(self, parts=parts, restore=self.restore.to(device))


def packed(
    rows: Sequence[Tokens],
    task: Sequence[int],
    tasks: int,
    at_once: int | None = None,
    device: torch.device = torch.device("cpu"),
) -> TextInputs:
    """Rows of T tasks one after another.

    Args:
        rows: what a tokenizer gives for each row: `input_ids` and, for some models, `token_type_ids`; they
            may branch, see `fewshot.models.branches`.
        task: task number of each row.
        tasks: T.
        at_once: the most rows of a part; None for no limit.
        device: where they will be computed.
    """
    order = sorted(range(len(rows)), key=lambda row: task[row])
    groups, overhead = _cut(order, at_once), OVERHEAD[device.type]
    return _inputs(rows, groups, [_packed(_at(rows, g), _at(task, g), tasks, overhead) for g in groups])


def in_buckets(
    rows: Sequence[Tokens], task: Sequence[int], tasks: int, at_once: int | None = None, pad: int = 0
) -> TextInputs:
    """Rows of T tasks in buckets of similar length; arguments as for `packed`, and the number of padding."""
    groups = [
        part
        for rows_alike in cut_buckets([len(row["input_ids"]) for row in rows])
        for part in _cut(sorted(rows_alike, key=lambda row: (task[row], row)), at_once)
    ]
    return _inputs(rows, groups, [_bucket(_at(rows, g), _at(task, g), tasks, pad) for g in groups])


def _cut(order: list[int], at_once: int | None) -> list[list[int]]:
    size = at_once or max(1, len(order))
    return [order[first : first + size] for first in range(0, len(order), size)]


def _at(values: Sequence[T], numbers: Sequence[int]) -> list[T]:
    return [values[n] for n in numbers]


def _inputs(rows: Sequence[Tokens], groups: Sequence[Sequence[int]], parts: Sequence[Part]) -> TextInputs:
    order = torch.tensor([n for group in groups for n in group])
    return TextInputs(tuple(parts), torch.argsort(order), sum(len(row["input_ids"]) for row in rows))


def _packed(rows: Sequence[Tokens], task: Sequence[int], tasks: int, overhead: int) -> Packed:
    branches = [sizes_of(row) for row in rows] if any(BRANCHES in row for row in rows) else None
    packing = Packing([len(row["input_ids"]) for row in rows], overhead=overhead, branches=branches)

    def joined(name: str) -> Tensor:
        numbers = [number for row in rows for number in row[name]]
        return torch.tensor([numbers + numbers[:1] * packing.filling])

    return Packed(
        ids=joined("input_ids"),
        types=joined("token_type_ids") if "token_type_ids" in rows[0] else None,
        # what is filled up is the last task's: no loss depends on it, so its gradient is 0
        segments=_segments([*packing.lengths, packing.filling], [*task, max(task)], tasks),
        packing=packing,
    )


def _bucket(rows: Sequence[Tokens], task: Sequence[int], tasks: int, pad: int) -> Bucket:
    length = max(len(row["input_ids"]) for row in rows)

    def padded(name: str, fill: int) -> Tensor:
        return torch.tensor([list(row[name]) + [fill] * (length - len(row[name])) for row in rows])

    return Bucket(
        ids=padded("input_ids", pad),
        mask=padded("attention_mask", 0),
        types=padded("token_type_ids", 0) if "token_type_ids" in rows[0] else None,
        segments=_segments([length] * len(rows), task, tasks),
    )


def _segments(lengths: Sequence[int], task: Sequence[int], tasks: int) -> Segments:
    counts: Counter[int] = Counter()
    for length, number in zip(lengths, task, strict=True):
        counts[number] += length
    return Segments(tuple(counts[t] for t in range(tasks)))

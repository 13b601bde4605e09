"""Token rows in buckets of similar length, so that little is computed on padding."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

Tokens = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Bucket:
    """Rows of similar length, padded to the longest of them, in the order of their tasks.

    Args:
        ids: token numbers, (B, L) int64.
        mask: 1 for a token, 0 for padding, (B, L) int64.
        types: token types (which text of a pair), (B, L), or None for models without them.
        counts: rows of each task, T numbers that add up to B.
        prefix: states that enter the first adapted block, (B, L, H); None where none is frozen.
    """

    ids: Tensor
    mask: Tensor
    types: Tensor | None
    counts: tuple[int, ...]
    prefix: Tensor | None = None

    def to(self, device: torch.device) -> "Bucket":
        """The same bucket on a device."""
        types = None if self.types is None else self.types.to(device)
        prefix = None if self.prefix is None else self.prefix.to(device)
        return Bucket(self.ids.to(device), self.mask.to(device), types, self.counts, prefix)


@dataclass(frozen=True)
class TextInputs:
    """The rows of a batch, bucket by bucket.

    Args:
        buckets: every row stands in one of them.
        restore: position of each row of the batch in the concatenated buckets, (R,).
        tokens: real tokens of all rows.
    """

    buckets: tuple[Bucket, ...]
    restore: Tensor
    tokens: int

    @property
    def padded_tokens(self) -> int:
        """Tokens that are computed, padding included."""
        return sum(bucket.ids.numel() for bucket in self.buckets)

    def to(self, device: torch.device) -> "TextInputs":
        """The same inputs on a device."""
        return TextInputs(
            tuple(bucket.to(device) for bucket in self.buckets), self.restore.to(device), self.tokens
        )


def bucketed(rows: Sequence[Tokens], task: Sequence[int], tasks: int, pad: int = 0) -> TextInputs:
    """Buckets of tokenised rows.

    Args:
        rows: what a tokenizer gives for each row: `input_ids` and, for some models, `token_type_ids`.
        task: task number of each row.
        tasks: T.
        pad: the token number of padding.
    """
    groups = [
        sorted(group, key=lambda row: (task[row], row))
        for group in cut_buckets([len(r["input_ids"]) for r in rows])
    ]
    buckets = tuple(
        _bucket([rows[n] for n in group], [task[n] for n in group], tasks, pad) for group in groups
    )
    order = torch.tensor([n for group in groups for n in group])
    return TextInputs(buckets, torch.argsort(order), sum(len(row["input_ids"]) for row in rows))


def _bucket(rows: Sequence[Tokens], task: Sequence[int], tasks: int, pad: int) -> Bucket:
    length = max(len(row["input_ids"]) for row in rows)

    def padded(name: str, fill: int) -> Tensor:
        return torch.tensor([list(row[name]) + [fill] * (length - len(row[name])) for row in rows])

    counts = Counter(task)
    return Bucket(
        ids=padded("input_ids", pad),
        mask=padded("attention_mask", 0),
        types=padded("token_type_ids", 0) if "token_type_ids" in rows[0] else None,
        counts=tuple(counts[t] for t in range(tasks)),
    )


def cut_buckets(lengths: Sequence[int], overhead: int = 256) -> list[list[int]]:
    """Groups rows by length so that padding plus a fixed cost for each bucket is least.

    Dynamic programming over the distinct lengths: `cost(b) = cost(a) + overhead + L_b * rows(a, b]`.

    Args:
        lengths: tokens of each row.
        overhead: what one more bucket costs, in tokens.

    Returns:
        Row numbers of each bucket, shortest rows first; ties keep the order of the rows.
    """
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    ends = [
        n + 1 for n in range(len(order)) if n + 1 == len(order) or lengths[order[n]] != lengths[order[n + 1]]
    ]
    best: dict[int, tuple[int, int]] = {0: (0, 0)}
    for end in ends:
        longest = lengths[order[end - 1]]
        best[end] = min(
            (cost + overhead + longest * (end - start), start) for start, (cost, _) in best.items()
        )
    cuts = [len(order)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    cuts.reverse()
    return [order[start:end] for start, end in pairwise(cuts)]

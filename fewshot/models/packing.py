"""Rows of tokens one after another: what the linear maps of a backbone see.

Attention alone has to keep rows apart. It takes them in groups of similar length, each padded to its
longest row; this file says which token stands where.

The number of tokens is rounded up a little, and so is that of the rows of a group: oneDNN makes a kernel for
every new shape, which takes longer than the product. No loss sees what is filled up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from fewshot.models.branches import numbers as numbers_of
from fewshot.models.branches import positions as positions_of
from fewshot.models.buckets import cut_buckets, rounded

# of a row in its group: torch takes the softmax of fewer numbers one by one on a CPU, ten times as slowly
LEAST = 16
EVEN = 8  # lengths of groups are multiples of it
TOKENS, SLOTS = 16, 8  # sizes in an octave, see `rounded`
# what one more group costs, in tokens; a GPU waits for the launch of small kernels
OVERHEAD = {"cpu": 256, "cuda": 4096}


class Group(NamedTuple):
    """Rows that attention takes at once.

    Args:
        rows: their numbers.
        slots: places for rows; those behind the last row are filled up.
        length: places for the tokens of a row.
    """

    rows: list[int]
    slots: int
    length: int


@dataclass(frozen=True)
class Places:
    """Where the pieces of N tokens stand in the groups, P places with padding.

    A piece is what one head has of a token.

    Args:
        piece: the piece at each place; at a padded one some other piece, (P,).
        place: the place of each piece, (N * heads,); a filled-up token has a padded one, with no gradient.
        real: 1 at a place of its own piece, 0 at a padded one, (P, 1).
    """

    piece: Tensor
    place: Tensor
    real: Tensor


class Packing:
    """How R rows of tokens are packed, and how attention groups them.

    Args:
        lengths: tokens of each row, in the order in which they are packed.
        device: where the index tensors go.
        overhead: what one more group costs, in tokens, where the rows are computed.
        branches: of rows that branch, see `fewshot.models.branches`, the sizes of every row; None for none.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        device: torch.device | str = "cpu",
        overhead: int = OVERHEAD["cpu"],
        branches: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.lengths, self.overhead, self.branches = tuple(lengths), overhead, branches
        self.device = torch.device(device)
        counts = torch.tensor(self.lengths)
        row = torch.repeat_interleave(torch.arange(len(self.lengths)), counts)
        positions = torch.zeros(self.tokens + self.filling, dtype=torch.long)
        own = None if branches is None else torch.cat([positions_of(each) for each in branches])
        within = torch.arange(self.tokens) - (counts.cumsum(0) - counts)[row] if own is None else own
        positions[: self.tokens] = within
        self.row, self.positions = row.to(device), positions.to(device)
        self.groups = self._groups()
        self._places: dict[int, Places] = {}
        self._masks: dict[tuple[bool, int | None, torch.dtype], list[Tensor]] = {}

    @property
    def tokens(self) -> int:
        """Of all rows."""
        return sum(self.lengths)

    @property
    def filling(self) -> int:
        """Tokens behind the last row up to a size that recurs; N counts them too."""
        return rounded(self.tokens, TOKENS) - self.tokens

    def to(self, device: torch.device) -> "Packing":
        """The same packing on a device."""
        return self if device == self.device else Packing(self.lengths, device, self.overhead, self.branches)

    def places(self, heads: int) -> Places:
        """Indices that bring pieces into the groups, each (slots, heads, length), and back."""
        if heads not in self._places:
            self._places[heads] = self._place(heads)
        return self._places[heads]

    def masks(self, causal: bool, window: int | None, dtype: torch.dtype) -> list[Tensor]:
        """What is added to the attention scores of each group: 0 or -inf, (slots, 1, 1 or length, length).

        Args:
            causal: a token sees itself and what comes before it.
            window: of that, only the last so many; None for all.
            dtype: of the scores.
        """
        key = (causal, window, dtype)
        if key not in self._masks:
            self._masks[key] = [self._mask(group, causal, window, dtype) for group in self.groups]
        return self._masks[key]

    def _groups(self) -> list[Group]:
        places = [max(LEAST, -(-length // EVEN) * EVEN) for length in self.lengths]
        cut = cut_buckets(places, self.overhead)
        slots, last = [len(rows) for rows in cut], len(self.lengths) - 1
        home = next(n for n, rows in enumerate(cut) if last in rows)
        full = self.lengths[last] == max(places[r] for r in cut[home])
        slots[home] += (
            bool(self.filling) and full
        )  # else the last row has a padded place, for what is filled up
        return [
            Group(rows, rounded(count, SLOTS), max(places[r] for r in rows))
            for rows, count in zip(cut, slots, strict=True)
        ]

    def _place(self, heads: int) -> Places:
        starts = torch.tensor([0, *accumulate(self.lengths)])
        last = len(self.lengths) - 1
        pieces, real, lasts = [], [], []
        for rows, slots, length in self.groups:
            at = torch.arange(length)
            owner = torch.tensor([*rows, *[last] * (slots - len(rows))])
            start, inside = starts[owner][:, None], self._inside(rows, slots, length)
            token = torch.where(inside, start + at, start)
            piece = token[:, None] * heads + torch.arange(heads)[:, None]
            pieces.append(piece.reshape(-1))
            real.append(inside[:, None].expand_as(piece).reshape(-1))
            lasts.append((owner == last)[:, None, None].expand_as(piece).reshape(-1))
        piece, mine, of_last = torch.cat(pieces), torch.cat(real), torch.cat(lasts)
        # of the last row, so that the tokens which fill up are the last task's in attention too
        padded = int(torch.argmax((of_last & ~mine).long()))
        place = torch.full(((self.tokens + self.filling) * heads,), padded)
        place[piece[mine]] = torch.arange(len(piece))[mine]
        return Places(
            piece.to(self.device), place.to(self.device), mine[:, None].to(self.device, torch.float32)
        )

    def _order(self, group: Group) -> tuple[Tensor, Tensor]:
        """Position and branch of each place of a group, (slots, length) or (1, length) each."""
        at = torch.arange(group.length)[None]
        if self.branches is None:
            return at, torch.zeros_like(at)
        at, branch = at.repeat(group.slots, 1), torch.zeros(group.slots, group.length, dtype=torch.long)
        for slot, row in enumerate(group.rows):
            sizes = self.branches[row]
            at[slot, : self.lengths[row]] = positions_of(sizes)
            branch[slot, : self.lengths[row]] = numbers_of(sizes)
        return at, branch

    def _inside(self, rows: list[int], slots: int, length: int) -> Tensor:
        """Which places of a group hold a token of their row, (slots, length)."""
        lengths = [self.lengths[r] for r in rows] + [0] * (slots - len(rows))
        return torch.arange(length) < torch.tensor(lengths)[:, None]

    def _mask(self, group: Group, causal: bool, window: int | None, dtype: torch.dtype) -> Tensor:
        inside = self._inside(*group)
        seen = (inside | ~inside.any(1, keepdim=True))[:, None, None]  # a slot without a row sees all of it
        if causal:
            at, branch = self._order(group)
            back = at[:, :, None] - at[:, None]
            allowed = (back >= 0) & (back < (window or group.length))
            allowed &= (branch[:, None] == 0) | (branch[:, None] == branch[:, :, None])
            # a padded place sees its whole row: what comes of it is dropped, but must be a number
            seen = seen & (allowed[:, None] | ~inside[:, None, :, None])
        return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, -torch.inf).to(self.device)

"""Rows of tokens one after another, without padding: what the linear maps of a backbone see.

Attention alone has to keep rows apart. It takes them in groups of similar length, each padded to its
longest row; this file says which token stands where.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from fewshot.models.buckets import cut_buckets

# of a row in its group: torch takes the softmax of fewer numbers one by one on a CPU, ten times as slowly
LEAST = 16


@dataclass(frozen=True)
class Places:
    """Where the pieces of N tokens stand in the groups, P places with padding.

    A piece is what one head has of a token.

    Args:
        piece: the piece at each place; at a padded place some other piece of its row, (P,).
        place: the place of each piece, (N * heads,).
        real: 1 at a place of its own piece, 0 at a padded one, (P, 1).
    """

    piece: Tensor
    place: Tensor
    real: Tensor


class Packing:
    """How R rows of N tokens in all are packed, and how attention groups them.

    Args:
        lengths: tokens of each row, in the order in which they are packed.
        device: where the index tensors go.
    """

    def __init__(self, lengths: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.lengths = tuple(lengths)
        self.device = torch.device(device)
        counts = torch.tensor(self.lengths)
        self.row = torch.repeat_interleave(torch.arange(len(self.lengths)), counts).to(device)
        self.positions = torch.cat([torch.arange(length) for length in self.lengths]).to(device)
        places = [max(length, LEAST) for length in self.lengths]
        self.groups = [(rows, max(places[r] for r in rows)) for rows in cut_buckets(places)]
        self._places: dict[int, Places] = {}
        self._masks: dict[tuple[bool, int | None, torch.dtype], list[Tensor]] = {}

    @property
    def tokens(self) -> int:
        """N."""
        return sum(self.lengths)

    def to(self, device: torch.device) -> "Packing":
        """The same packing on a device."""
        return self if device == self.device else Packing(self.lengths, device)

    def places(self, heads: int) -> Places:
        """Indices that bring pieces into the groups, each (rows, heads, length), and back."""
        if heads not in self._places:
            self._places[heads] = self._place(heads)
        return self._places[heads]

    def masks(self, causal: bool, window: int | None, dtype: torch.dtype) -> list[Tensor]:
        """What is added to the attention scores of each group: 0 or -inf, (rows, 1, 1 or length, length).

        Args:
            causal: a token sees itself and what comes before it.
            window: of that, only the last so many; None for all.
            dtype: of the scores.
        """
        key = (causal, window, dtype)
        if key not in self._masks:
            self._masks[key] = [
                self._mask(rows, length, causal, window, dtype) for rows, length in self.groups
            ]
        return self._masks[key]

    def _place(self, heads: int) -> Places:
        starts = [0, *accumulate(self.lengths)]
        pieces, real = [], []
        for rows, length in self.groups:
            at = torch.arange(length)
            start = torch.tensor([starts[r] for r in rows])[:, None]
            inside = at < torch.tensor([self.lengths[r] for r in rows])[:, None]
            token = torch.where(inside, start + at, start)
            piece = token[:, None] * heads + torch.arange(heads)[:, None]
            pieces.append(piece.reshape(-1))
            real.append(inside[:, None].expand_as(piece).reshape(-1))
        piece, mine = torch.cat(pieces), torch.cat(real)
        place = torch.empty(self.tokens * heads, dtype=torch.long)
        place[piece[mine]] = torch.arange(len(piece))[mine]
        return Places(
            piece.to(self.device), place.to(self.device), mine[:, None].to(self.device, torch.float32)
        )

    def _mask(
        self, rows: list[int], length: int, causal: bool, window: int | None, dtype: torch.dtype
    ) -> Tensor:
        at = torch.arange(length)
        inside = at < torch.tensor([self.lengths[r] for r in rows])[:, None]
        seen = inside[:, None, None]
        if causal:
            back = at[:, None] - at
            allowed = (back >= 0) & (back < (window or length))
            # a padded place sees its whole row: what comes of it is dropped, but must be a number
            seen = seen & (allowed | ~inside[:, None, :, None])
        return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, -torch.inf).to(self.device)

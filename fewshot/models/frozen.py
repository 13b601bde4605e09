"""What enters the first adapted block, computed once for a text and remembered."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fewshot.models.branches import folded, key_of, row_of, unfolded
from fewshot.models.cache import StateCache
from fewshot.models.firsts import batches_of
from fewshot.models.inputs import Bucket, Packed, Part, Tokens, in_buckets
from fewshot.models.prefix import FrozenPrefix


class FrozenStates:
    """The states of rows above the frozen blocks.

    Args:
        prefix: the frozen blocks.
        run: the whole model on a part.
        about: what the states depend on beside the text and the weights, as it is now.
    """

    def __init__(
        self, prefix: FrozenPrefix, run: Callable[[Part], Tensor], about: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._prefix, self._run, self._settings = prefix, run, about
        self.cache = StateCache()

    def share(self, other: "FrozenStates") -> None:
        """Keeps them where another one does; both compute the same ones."""
        self.cache = other.cache

    def of(self, part: Packed, device: torch.device) -> Tensor:
        """Those of packed rows, (1, N, H) on the device."""
        lengths, tokens = list(part.packing.lengths), part.packing.tokens
        ids = torch.split(part.ids[0, :tokens], lengths)
        types = [None] * len(ids) if part.types is None else torch.split(part.types[0, :tokens], lengths)
        sizes = part.packing.branches or [()] * len(ids)
        states = self._known([row_of(*row) for row in zip(ids, types, sizes, strict=True)], device)
        return torch.cat([*states, states[0][:1].expand(part.packing.filling, -1)])[None]

    def compute_again(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Fills the cache as it was filled when `cache.firsts.state()` was taken."""
        with torch.no_grad():
            for batch in batches_of(state):
                self._known(batch, device)

    def compute(self, rows: Sequence[Tokens], wanted: Sequence[int], device: torch.device) -> list[Tensor]:
        """Those of some of the rows, each (L, H), computed on the device and not remembered."""
        # the last bits depend on what stands in a batch
        batches = [[rows[n]] for n in wanted] if self.cache.alone else [[rows[n] for n in wanted]]
        return [state for batch in batches for state in self._together(batch, device)]

    def _known(self, rows: Sequence[Tokens], device: torch.device) -> list[Tensor]:
        """Those of rows, each (L, W), from the cache where it has them."""
        keys, fresh = [key_of(row) for row in rows], list[int]()

        def compute(wanted: Sequence[int]) -> list[Tensor]:
            fresh.extend(wanted)
            return self.compute(rows, wanted, device)

        states = self.cache.states(keys, compute, device, self._about)
        if not self.cache.alone and any(self.cache.keeps(keys[n]) for n in fresh):
            self.cache.firsts.add([rows[n] for n in fresh])
        return states

    def _together(self, rows: Sequence[Tokens], device: torch.device) -> list[Tensor]:
        apart = [unfolded(row) for row in rows]  # buckets know of no branches
        each = [one for own in apart for one in own]
        inputs = in_buckets(each, [0] * len(each), 1).to(device)
        found: list[Tensor] = []
        for part in inputs.parts:
            assert isinstance(part, Bucket)
            states = self._prefix.compute(partial(self._run, part))
            found += [row[:length] for row, length in zip(states, part.mask.sum(1).tolist(), strict=True)]
        inner = iter([found[n] for n in inputs.restore.tolist()])
        return [folded(row, [next(inner) for _ in own]) for row, own in zip(rows, apart, strict=True)]

    def _about(self) -> str:
        """All that they depend on beside the text."""
        return json.dumps(self._prefix.about | dict(self._settings()), sort_keys=True, default=str)

"""The frozen backbone with its adapter: packed rows from the lowest adapted block on, where it can."""

import contextlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fewshot.errors import InputError
from fewshot.models.branches import folded, key_of, row_of, unfolded
from fewshot.models.cache import StateCache
from fewshot.models.firsts import batches_of
from fewshot.models.inputs import Bucket, Packed, Part, TextInputs, Tokens, in_buckets, packed
from fewshot.models.lora import LoraAdapter
from fewshot.models.prefix import FrozenPrefix
from fewshot.models.recompute import recomputed
from fewshot.models.segments import Segments
from fewshot.models.stack import Stack
from fewshot.models.surroundings import surroundings
from fewshot.models.targets import LINEAR
from fewshot.models.windows import narrowed

WHOLE = (
    "this backbone takes padded rows and runs whole: "
    "its layers cannot be passed over, or its attention packed"
)
PROBE: list[Tokens] = [{"input_ids": range(1, n + 1), "attention_mask": [1] * n} for n in (3, 5)]
# of sdpa, without cuDNN's, which makes a plan for every new shape; that takes longer than the attention
KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
# relative to the norm; a wrong mask is off by more than 0.1
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}
QUANTISED = 3e-2  # likewise: numbers on their way are rounded to few bits, too


class Body:
    """A frozen model that knows the task axis in its LoRA layers alone.

    Args:
        model: the backbone, its adapter injected.
        lora: the adapter.
        attention: 'eager' or 'sdpa'.
        cache: where the frozen states of texts are kept.
        recompute: keep the inputs of blocks alone for the backward pass.

    Raises:
        InputError: a backbone to recompute whose blocks are not found.
    """

    def __init__(
        self,
        model: nn.Module,
        lora: LoraAdapter,
        attention: str,
        cache: StateCache,
        recompute: bool = False,
    ) -> None:
        # of a model with a head for words, what is below the head
        self._model: Any = getattr(model, "base_model", model)
        self._lora, self.attention = lora, attention
        self.cache = StateCache()  # for the probe alone
        self._prefix = FrozenPrefix(model, lora.layers, LINEAR)
        self._recompute = recompute
        if recompute and not self._prefix.possible:
            raise InputError(
                "the blocks of this backbone are not found, so they cannot be computed again",
                where="model.compute.recompute",
                got=type(self._model).__name__,
                needed="false",
            )
        self._accepted = set(inspect.signature(self._model.forward).parameters)
        self.packs = self._prefix.possible and self._packing_is_right()
        if self.packs and cache.projections:
            self._prefix.extend(self._probe_adapted)
            self._states(PROBE, [0])  # so that the widths are known, wherever the states come from
        self.cache = cache

    def share(self, other: "Body") -> None:
        """Keeps frozen states where another body keeps them; both compute the same ones."""
        self.cache = other.cache

    @property
    def note(self) -> str:
        """What the user should know; empty where all is as it should be."""
        return "" if self.packs else WHOLE

    @property
    def depth(self) -> int:
        """Blocks below the lowest adapted one, whose output is kept for each text."""
        return self._prefix.depth if self.packs else 0

    def inputs(
        self, rows: Sequence[Tokens], task: Sequence[int], tasks: int, at_once: int | None, pad: int
    ) -> TextInputs:
        """Rows of T tasks as this body takes them; no part has more than `at_once` rows."""
        if self.packs:
            return packed(rows, task, tasks, at_once, self.device)
        return in_buckets(rows, task, tasks, at_once, pad)

    def place(self, inputs: TextInputs, device: torch.device) -> TextInputs:
        """The inputs on a device, with the frozen states of their rows."""
        states = [self._states_of(part) for part in inputs.parts]  # asked for by host tensors: nothing waits
        placed = inputs.to(device)
        parts = (
            replace(part, states=known) if isinstance(part, Packed) else part
            for part, known in zip(placed.parts, states, strict=True)
        )
        return replace(placed, parts=tuple(parts))

    def hidden(self, stack: Stack, part: Part) -> Tensor:
        """Last hidden states of a part, in the shape of its `ids` with H behind; layers read `stack`."""
        again = partial(self._again, stack, part)
        blocks = self._prefix.adapted if self._recompute else ()
        with self._lora.using(stack, part.segments), recomputed(blocks, again):
            return self._run(part)

    @contextlib.contextmanager
    def _again(self, stack: Stack, part: Part) -> Iterator[None]:
        """What surrounds a block of `hidden`."""
        states, attention = (
            (part.states, f"packed_{self.attention}") if isinstance(part, Packed) else (None, self.attention)
        )
        known = contextlib.nullcontext() if states is None else self._prefix.known(states)
        with self._lora.using(stack, part.segments), known, self._attending(attention), sdpa_kernel(KERNELS):
            yield

    def follow(
        self, stack: Stack, segments: Segments, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any
    ) -> tuple[Tensor, Any]:
        """Last states (R, L, H) of tokens that follow what was read before, and the cache with them.

        Args:
            stack: what the layers read.
            segments: the tokens of each task.
            ids: (R, L), rows in the order of their tasks.
            mask: 1 for a token, 0 for padding on the left, of all that was read, (R, before + L).
            positions: of the tokens in their rows, (R, L).
            cache: keys and values of what was read before; None at the beginning.
        """
        given = {"position_ids": positions} if "position_ids" in self._accepted else {}
        with self._lora.using(stack, segments), self._attending(self.attention), sdpa_kernel(KERNELS):
            found = self._model(
                input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **given
            )
        return found.last_hidden_state, found.past_key_values

    def by_layer(self, stack: Stack, part: Part) -> dict[str, Tensor]:
        """As `hidden`, after every block from the lowest adapted one on; none where blocks are not found."""
        with self._prefix.watched() as seen:
            self.hidden(stack, part)
        return {f"layer {number}": states for number, states in seen.items()}

    def _run(self, part: Part) -> Tensor:
        if isinstance(part, Bucket):
            return self._forward(part.ids, part.types, self.attention, attention_mask=part.mask)
        assert isinstance(part, Packed)
        assert part.states is not None, "Learner.place comes before"
        with self._prefix.known(part.states):
            return self._forward(
                part.ids,
                part.types,
                f"packed_{self.attention}",
                position_ids=part.packing.positions[None],
                packing=part.packing,
            )

    def _forward(self, ids: Tensor, types: Tensor | None, attention: str, **options: Any) -> Tensor:
        """The model's own code on one batch: its last hidden states."""
        extra: dict[str, Any] = {"token_type_ids": types, "use_cache": False}
        given = {name: value for name, value in extra.items() if name in self._accepted and value is not None}
        with self._attending(attention), sdpa_kernel(KERNELS):
            output = self._model(input_ids=ids, **given, **options)
        states: Tensor = output.last_hidden_state
        return states

    @contextlib.contextmanager
    def _attending(self, attention: str) -> Iterator[None]:
        config: Any = self._model.config
        before = config._attn_implementation
        config._attn_implementation = attention
        try:
            yield
        finally:
            config._attn_implementation = before

    def _states_of(self, part: Part) -> Tensor | None:
        """The frozen states of packed rows, (1, N, H) on the device."""
        if not isinstance(part, Packed):
            return None
        lengths, tokens = list(part.packing.lengths), part.packing.tokens
        ids = torch.split(part.ids[0, :tokens], lengths)
        types = [None] * len(ids) if part.types is None else torch.split(part.types[0, :tokens], lengths)
        sizes = part.packing.branches or [()] * len(ids)
        states = self._known([row_of(*row) for row in zip(ids, types, sizes, strict=True)])
        return torch.cat([*states, states[0][:1].expand(part.packing.filling, -1)])[None]

    def _known(self, rows: Sequence[Tokens]) -> list[Tensor]:
        """The frozen states of rows, each (L, W), from the cache where it has them."""
        keys, fresh = [key_of(row) for row in rows], list[int]()

        def compute(wanted: Sequence[int]) -> list[Tensor]:
            fresh.extend(wanted)
            return self._states(rows, wanted)

        states = self.cache.states(keys, compute, self.device, self._about)
        if not self.cache.alone and any(self.cache.keeps(keys[n]) for n in fresh):
            self.cache.firsts.add([rows[n] for n in fresh])
        return states

    def compute_again(self, state: Mapping[str, Tensor]) -> None:
        """Fills the cache as it was filled when `cache.firsts.state()` was taken."""
        with torch.no_grad():
            for batch in batches_of(state):
                self._known(batch)

    def _states(self, rows: Sequence[Tokens], wanted: Sequence[int]) -> list[Tensor]:
        """What enters the first adapted block for some of the rows, each (L, H)."""
        # the last bits depend on what stands in a batch
        batches = [[rows[n]] for n in wanted] if self.cache.alone else [[rows[n] for n in wanted]]
        return [state for batch in batches for state in self._together(batch)]

    def _together(self, rows: Sequence[Tokens]) -> list[Tensor]:
        apart = [unfolded(row) for row in rows]  # buckets know of no branches
        each = [one for own in apart for one in own]
        inputs = in_buckets(each, [0] * len(each), 1).to(self.device)
        found: list[Tensor] = []
        for part in inputs.parts:
            assert isinstance(part, Bucket)
            states = self._prefix.compute(partial(self._run, part))
            found += [row[:length] for row, length in zip(states, part.mask.sum(1).tolist(), strict=True)]
        inner = iter([found[n] for n in inputs.restore.tolist()])
        return [folded(row, [next(inner) for _ in own]) for row, own in zip(rows, apart, strict=True)]

    def _about(self) -> str:
        """What the frozen states depend on beside the text."""
        settings = {"attention": self.attention} | surroundings(self.device)
        return json.dumps(self._prefix.about | settings, sort_keys=True, default=str)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        device: torch.device = next(self._model.parameters()).device
        return device

    def _packing_is_right(self) -> bool:
        """Tries packed rows against padded ones; a model whose code does not allow for them is found so."""
        with torch.no_grad():
            try:
                with narrowed(self._model, 2):
                    padded = self._probe(in_buckets(PROBE, [0, 0], 1), Stack({}))
                    found = self._probe(packed(PROBE, [0, 0], 1), Stack({}))
            except Exception:  # blocks called otherwise, arguments that are not taken: all mean no
                return False
        error = (found - padded).norm() / padded.norm()
        quantised = getattr(self._model, "is_quantized", False)
        return bool(error.item() < (QUANTISED if quantised else CLOSE.get(padded.dtype, 1e-5)))

    def _probe_adapted(self) -> Tensor:
        stack = {name: value[None] for name, value in self._lora.parameters().items()}
        return self._probe(packed(PROBE, [0, 0], 1), Stack(stack))

    def _probe(self, inputs: TextInputs, stack: Stack) -> Tensor:
        placed = self.place(inputs, self.device)
        pooled = [part.pool(self.hidden(stack, part), "mean") for part in placed.parts]
        return torch.cat(pooled)[placed.restore]

"""The frozen backbone with its adapter: packed rows from the lowest adapted block on, where it can."""

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fewshot.errors import InputError
from fewshot.models.cache import StateCache
from fewshot.models.frozen import FrozenStates
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
        self._prefix = FrozenPrefix(model, lora.layers, LINEAR)
        self.frozen = FrozenStates(self._prefix, self._run, self._about)
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
            self.frozen.compute(PROBE, [0], self.device)  # the widths are known, wherever states come from
        self.frozen.cache = cache  # what was before was for the probe alone

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
        # asked for by host tensors: nothing waits
        states = [
            self.frozen.of(part, self.device) if isinstance(part, Packed) else None for part in inputs.parts
        ]
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

    def _about(self) -> Mapping[str, Any]:
        """What frozen states depend on beside the text and the weights."""
        return {"attention": self.attention} | surroundings(self.device)

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

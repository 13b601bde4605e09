"""A pretrained encoder with LoRA on a task axis: the learner of the project."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from fewshot.models.batch import Rows, TaskBatch, Text
from fewshot.models.cache import Cache
from fewshot.models.compute import Compute
from fewshot.models.heads import HEADS, PerClassHead
from fewshot.models.inputs import Part
from fewshot.models.lora_learner import LoraLearner, check_positive
from fewshot.models.lora_settings import Lora
from fewshot.models.stack import Stack
from fewshot.models.tokens import TextTokens


class LoraEncoder(LoraLearner):
    """Any encoder that transformers' AutoModel loads, frozen, with stacked LoRA and a head.

    Args:
        backbone: 'minilm', a folder, a hub id, or 'shape:llama-1b' and the like: random weights, to measure.
        lora: rank, targets and layers of the adapter.
        head: 'prototype' starts from the support prototypes, 'shared' from one meta-learned vector
            for all classes, 'per_class' from one for each class number (not permutation-equivariant).
        head_ways: the class vectors of the head 'per_class'.
        scale: initial factor before the cosine scores; meta-learned from there.
        pooling: how token states become the row's feature: 'mean' over tokens, or 'cls', the first.
        max_length: tokens of a text that are read.
        compute: device, precision and attention of the backbone.
        cache: how the frozen states of texts are kept between batches.
    """

    def __init__(
        self,
        backbone: str = "minilm",
        lora: Lora = Lora(),
        head: Literal["prototype", "shared", "per_class"] = "prototype",
        head_ways: int = 5,
        scale: float = 10.0,
        pooling: Literal["mean", "cls"] = "mean",
        max_length: int = 128,
        compute: Compute = Compute(),
        cache: Cache = Cache(),
    ) -> None:
        check_positive(scale=scale, max_length=max_length, head_ways=head_ways)
        super().__init__(backbone, lora, max_length, compute, cache)
        self.pooling = pooling
        self._tokens = TextTokens(self.tokenizer, max_length)
        kind = HEADS[head]
        options = {"way": head_ways} if kind is PerClassHead else {}
        self.head = kind(self.width, scale, **options).to(self.peft.device)

    def batch(self, rows: Rows) -> TaskBatch:
        """Tokenised rows, packed; nothing is computed yet, so a thread beside the model can do it."""
        tokens, pad = self._tokens.rows(rows.texts), self.tokenizer.pad_token_id or 0
        return rows.batch(self._body.inputs(tokens, rows.task, len(rows.ways), self.rows_at_once, pad))

    def cut(self, texts: Sequence[Text]) -> list[bool]:
        """Which texts have more tokens than `max_length`."""
        return self._tokens.cut(texts)

    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """Pooled last hidden states of each row, (R, H)."""
        pooled = [self._pooled(stack, part) for part in batch.inputs.parts]
        return torch.cat(pooled)[batch.inputs.restore]

    def layer_features(self, stack: Stack, batch: TaskBatch) -> dict[str, Tensor]:
        """Pooled states of each row after every block from the lowest adapted one on, (R, H) each."""
        parts = [(part, self._body.by_layer(stack, part)) for part in batch.inputs.parts]
        names = list(parts[0][1])
        pooled = {
            name: torch.cat([part.pool(by[name], self.pooling) for part, by in parts]) for name in names
        }
        found = {name: rows[batch.inputs.restore] for name, rows in pooled.items()}
        return found or super().layer_features(stack, batch)

    def _pooled(self, stack: Stack, part: Part) -> Tensor:
        if not self._again_in_parts:
            return self._pool(stack, part)
        # computed again in the backward pass, so that one part's activations are in memory at a time
        pooled: Tensor = checkpoint(self._pool, stack, part, use_reentrant=False, preserve_rng_state=False)
        return pooled

    def _pool(self, stack: Stack, part: Part) -> Tensor:
        """One feature a row of a part, (B, H), in the type of what is learned."""
        hidden = self._body.hidden(stack, part)
        return part.pool(hidden.to(self.head.log_scale.dtype), self.pooling)

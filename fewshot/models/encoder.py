"""A pretrained encoder with LoRA on a task axis: the learner of the project."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.compute import Compute
from fewshot.models.encode import Bucket, bucketed
from fewshot.models.heads import HEADS, PerClassHead
from fewshot.models.learner import Learner, Text
from fewshot.models.lora_settings import Lora
from fewshot.models.prefix import FrozenPrefix
from fewshot.models.stack import Stack


class LoraEncoder(Learner):
    """Any encoder that transformers' AutoModel loads, frozen, with stacked LoRA and a head.

    Args:
        backbone: 'minilm', a folder, or a hub id.
        lora: rank, targets and layers of the adapter.
        head: 'prototype' starts from the support prototypes, 'shared' from one meta-learned vector
            for all classes, 'per_class' from one for each class number (not permutation-equivariant).
        head_ways: the class vectors of the head 'per_class'.
        scale: initial factor before the cosine scores; meta-learned from there.
        pooling: how token states become the row's feature: 'mean' over tokens, or 'cls', the first.
        max_length: tokens of a text that are read.
        compute: device, precision and attention of the backbone.
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
    ) -> None:
        super().__init__()
        # here, not above: these two take seconds to import, and `--help` needs neither
        from fewshot.models.backbone import load_backbone
        from fewshot.models.lora import LoraAdapter

        _check_positive(scale=scale, max_length=max_length, head_ways=head_ways)
        self.dtype, self._attention_is_free = compute.chosen_dtype(), compute.attention == "auto"
        model, self.tokenizer = load_backbone(backbone, compute.chosen_attention(), self.dtype)
        self.attention: str = model.config._attn_implementation
        longest = getattr(model.config, "max_position_embeddings", None) or max_length
        if max_length > longest:
            raise InputError(
                "model.max_length is too large", got=max_length, needed=f"at most {longest} for this backbone"
            )
        self.pooling, self.max_length = pooling, max_length
        self._lora = LoraAdapter(model, lora, torch.Generator().manual_seed(lora.seed))
        self.peft = self._lora.model
        self._prefix = FrozenPrefix(model, self._lora.layers)
        kind = HEADS[head]
        options = {"way": head_ways} if kind is PerClassHead else {}
        self.head = kind(model.config.hidden_size, scale, **options)
        self._backbone, self._compute = backbone, compute
        self.to(compute.chosen_device())
        probe = bucketed(self._tokenise([("a probe", None)]), [0], 1).to(self.device).buckets[0]
        self._note = self._prefix.check(partial(self._run, probe))

    def batch(
        self, texts: Sequence[Text], labels: Sequence[int], task: Sequence[int], ways: Sequence[int]
    ) -> TaskBatch:
        """Tokenised rows in buckets of similar length, with what is constant of them computed."""
        inputs = bucketed(self._tokenise(texts), task, len(ways), self.tokenizer.pad_token_id or 0)
        inputs = inputs.to(self.device)
        known = tuple(
            replace(bucket, prefix=self._prefix.compute(partial(self._run, bucket)))
            for bucket in inputs.buckets
        )
        return TaskBatch(
            inputs=replace(inputs, buckets=known),
            labels=torch.tensor(labels, device=self.device),
            task=torch.tensor(task, device=self.device),
            ways=tuple(ways),
        )

    def adapter(self) -> Mapping[str, nn.Parameter]:
        """`<layer>.A` (r, in) and `<layer>.B` (out, r) of every adapted layer."""
        return self._lora.parameters()

    def features(self, stack: Stack, batch: TaskBatch) -> Tensor:
        """Pooled last hidden states of each row, (R, H)."""
        pooled = [self._pool(self._hidden(stack, bucket), bucket.mask) for bucket in batch.inputs.buckets]
        return torch.cat(pooled)[batch.inputs.restore]

    def require_double_backward(self) -> str:
        """Switches to eager attention: the fused sdpa kernels have no second derivative."""
        if not self._attention_is_free and self.attention != "eager":
            raise InputError(
                "second order needs an attention that can be differentiated twice",
                where="model.compute.attention",
                got=self.attention,
                needed="'eager' or 'auto' with algorithm.order 2",
                fix="set model.compute.attention to auto, or algorithm.order to 1",
            )
        from fewshot.models.backbone import set_attention

        self.attention = "eager"
        set_attention(self.peft.get_base_model(), "eager")
        return "attention: eager, since second order differentiates it twice"

    def cost(self, *batches: TaskBatch) -> dict[str, float]:
        """Real tokens of the batches, and the share of padding in what is computed for them."""
        tokens = sum(batch.inputs.tokens for batch in batches)
        return {
            "tokens": tokens,
            "padding": 1 - tokens / sum(batch.inputs.padded_tokens for batch in batches),
        }

    def note(self) -> str:
        """That the frozen prefix does not work on this backbone, where it does not."""
        return self._note

    def resolved(self) -> dict[str, Any]:
        """What arguments given as 'auto' became."""
        chosen = {"dtype": str(self.dtype).removeprefix("torch."), "attention": self.attention}
        return {"compute": asdict(self._compute) | chosen}

    def save_adapter(self, folder: Path) -> None:
        """The adapter's meta-parameters in PEFT's format."""
        from fewshot.models.backbone import public_name

        self._lora.save(folder, public_name(self._backbone))

    def load_adapter(self, folder: Path) -> None:
        """Reads what `save_adapter` wrote."""
        self._lora.load(folder)

    def _hidden(self, stack: Stack, bucket: Bucket) -> Tensor:
        with self._lora.using(stack, bucket.counts), self._prefix.known(bucket.prefix):
            return self._run(bucket)

    def _run(self, bucket: Bucket) -> Tensor:
        """The whole backbone on one bucket: its last hidden states, (B, L, H)."""
        extra = {} if bucket.types is None else {"token_type_ids": bucket.types}
        output = self.peft.get_base_model()(input_ids=bucket.ids, attention_mask=bucket.mask, **extra)
        states: Tensor = output.last_hidden_state
        return states

    def _pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        hidden = hidden.to(self.head.log_scale.dtype)
        if self.pooling == "cls":
            return hidden[:, 0]
        weight = mask.to(hidden.dtype)[..., None]
        return (hidden * weight).sum(1) / weight.sum(1)

    def _tokenise(self, texts: Sequence[Text]) -> list[dict[str, list[int]]]:
        firsts = [first for first, _ in texts]
        seconds = [second or "" for _, second in texts] if any(second for _, second in texts) else None
        tokens = self.tokenizer(firsts, seconds, truncation=True, max_length=self.max_length)
        return [{name: tokens[name][row] for name in tokens} for row in range(len(texts))]


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if value <= 0:
            raise InputError(f"model.{name} is too small", got=value, needed="a number above 0")

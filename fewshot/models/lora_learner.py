"""A frozen pretrained model with LoRA on a task axis: what learners share that differ in their heads."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.cache import Cache, StateCache
from fewshot.models.compute import Compute
from fewshot.models.guards import check_twice_differentiable
from fewshot.models.inputs import TextInputs
from fewshot.models.learner import Learner
from fewshot.models.lora_settings import Lora
from fewshot.models.products import by_onednn, product


class LoraLearner(Learner):
    """Any model that transformers loads, frozen, with stacked LoRA; subclasses add the head.

    Args:
        backbone: 'minilm', a folder, a hub id, or 'shape:llama-1b' and the like: random weights, to measure.
        lora: rank, targets and layers of the adapter.
        max_length: tokens of a row that are read.
        compute: device, precision and attention of the backbone.
        cache: how the frozen states of texts are kept between batches.
        kind: 'states' for a model without a head of its own, 'causal' for one that predicts the next token.
    """

    def __init__(
        self,
        backbone: str,
        lora: Lora,
        max_length: int,
        compute: Compute,
        cache: Cache,
        kind: Literal["states", "causal"] = "states",
    ) -> None:
        super().__init__()
        # here, not above: these two take seconds to import, and `--help` needs neither
        from fewshot.models.backbone import load_backbone
        from fewshot.models.body import Body
        from fewshot.models.lora import LoraAdapter

        self._threads = compute.set_threads()  # before anything is measured
        compute.set_determinism()
        self.dtype, self._attention_is_free = compute.chosen_dtype(), compute.attention == "auto"
        device = compute.chosen_device()
        model, self.tokenizer = load_backbone(backbone, self.dtype, device, kind, compute.quantised)
        self._emulates = compute.emulates()
        if self._emulates:
            nn.Module.to(model, torch.float32)
        longest = getattr(model.config, "max_position_embeddings", None) or max_length
        if max_length > longest:
            raise InputError(
                "model.max_length is too large",
                where=f"model.backbone {backbone}",
                got=max_length,
                needed=f"at most {longest}, the positions that this backbone has",
                fix=f"set model.max_length to {longest} or less",
            )
        self.max_length, self.width = max_length, int(model.config.hidden_size)
        self._products = compute.chosen_products()
        if self._products == "onednn":
            by_onednn(model.base_model)
        self._lora = LoraAdapter(model, lora, product if self._products == "onednn" else F.linear)
        self.peft = self._lora.model
        self._backbone, self._compute = backbone, compute
        self.rows_at_once = compute.rows_at_once
        self.to(device)
        self._body = Body(model, self._lora, compute.chosen_attention(), StateCache(cache), compute.recompute)

    def text_inputs(self, batch: TaskBatch) -> TextInputs:
        """What of a batch the backbone reads."""
        inputs: TextInputs = batch.inputs
        return inputs

    def place(self, batch: TaskBatch) -> TaskBatch:
        """The batch on the device, with the frozen states of its texts."""
        return replace(
            batch,
            inputs=self._body.place(self.text_inputs(batch), self.device),
            labels=batch.labels.to(self.device),
            task=batch.task.to(self.device),
        )

    def adapter(self) -> Mapping[str, nn.Parameter]:
        """`<layer>.A` (r, in) and `<layer>.B` (out, r) of every adapted layer."""
        return self._lora.parameters()

    def fresh_adapter(self) -> dict[str, Tensor]:
        """As PEFT begins: random A, drawn from `lora.seed`, and B at zero."""
        return {name: value.to(self.device) for name, value in self._lora.fresh().items()}

    def share_states(self, other: "LoraLearner") -> None:
        """Keeps frozen states where another learner of the same backbone and layers keeps them."""
        self._body.frozen.share(other._body.frozen)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Which texts that are remembered were computed together; how many rows are taken at once."""
        return self._body.frozen.cache.firsts.state(), {"rows_at_once": self.rows_at_once}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Takes what `state` gave; computes the frozen states of the texts again."""
        self._body.frozen.compute_again(tensors, self._body.device)
        self.rows_at_once = facts["rows_at_once"]

    def limit_rows(self, rows: int) -> bool:
        """Batches from here on come in parts of at most so many rows."""
        self.rows_at_once = rows
        return True

    @property
    def _again_in_parts(self) -> bool:
        """Whether each part of a batch is computed again as a whole in the backward pass."""
        return bool(self.rows_at_once) and torch.is_grad_enabled() and not self._compute.recompute

    def require_double_backward(self) -> str:
        """Switches to eager attention: the fused sdpa kernels have no second derivative.

        Raises:
            InputError: what cannot be differentiated twice: sdpa that was asked for, a quantised base,
                re-entrant checkpointing, a compiled model, rows in parts, blocks computed again.
        """
        check_twice_differentiable(self.peft.get_base_model(), self._compute.quantised)
        if self._compute.recompute:
            raise InputError(
                "blocks cannot be computed again with second order, whose memory is flat by itself",
                where="model.compute.recompute",
                got=True,
                needed="false with algorithm.order 2",
                fix="set algorithm.order to 1, or recompute to false",
            )
        if self.rows_at_once:
            raise InputError(
                "a task's rows cannot be taken in parts with second order",
                where="model.compute.rows_at_once",
                got=self.rows_at_once,
                needed="0 with algorithm.order 2",
                fix="set algorithm.order to 1, or lower shot, queries or model.max_length",
            )
        if not self._attention_is_free and self.attention != "eager":
            raise InputError(
                "second order needs an attention that can be differentiated twice",
                where="model.compute.attention",
                got=self.attention,
                needed="'eager' or 'auto' with algorithm.order 2",
                fix="set model.compute.attention to auto, or algorithm.order to 1",
            )
        self._body.attention = "eager"
        return "attention: eager, since second order differentiates it twice"

    @property
    def attention(self) -> str:
        """The attention that runs: 'eager' or 'sdpa'."""
        return self._body.attention

    def cost(self, *batches: TaskBatch) -> dict[str, int]:
        """Real tokens, and with padding those that linear maps and that attention compute."""
        inputs = [self.text_inputs(batch) for batch in batches]
        return {
            "tokens": sum(each.tokens for each in inputs),
            "padded_tokens": sum(each.padded_tokens for each in inputs),
            "attention_padded_tokens": sum(each.attention_tokens for each in inputs),
        }

    def note(self) -> str:
        """What the backbone is computed with, and what does not work on it."""
        products = " weights in float32 products" if self._emulates else ""
        if self._products == "onednn" and (self._emulates or self.dtype == torch.float32):
            products += " by oneDNN"
        bits = "" if self._compute.quantised == "none" else f" with {self._compute.quantised} weights"
        kept = f"{_name(self.dtype)}{bits}{products}"
        where = f"backbone: {self.device.type}, {kept}, {self.attention} attention"
        blocks = f", frozen below layer {self._body.depth}: once a text" if self._body.depth else ""
        return "; ".join(filter(None, (where + blocks, self._body.note)))

    def resolved(self) -> dict[str, Any]:
        """What arguments given as 'auto' became."""
        chosen = {"dtype": _name(self.dtype), "attention": self.attention, "products": self._products}
        sizes = {"rows_at_once": self.rows_at_once, "threads": self._threads}
        return {"compute": asdict(self._compute) | chosen | sizes}

    def save_adapter(self, folder: Path) -> None:
        """The adapter's meta-parameters in PEFT's format."""
        from fewshot.models.backbone import public_name

        self._lora.save(folder, public_name(self._backbone))

    def save_adapted(self, folder: Path, adapter: Mapping[str, Tensor]) -> None:
        """The adapter of one adapted task in PEFT's format.

        Args:
            folder: where it goes.
            adapter: matrices without a task axis, by the names of `adapter`; 0 where one is not named.
        """
        with self._lora.holding(adapter):
            self.save_adapter(folder)

    def load_adapter(self, folder: Path) -> None:
        """Reads what `save_adapter` wrote."""
        self._lora.load(folder)


def check_positive(**values: float) -> None:
    """Raises an error for a value of a model's that is not above 0."""
    for name, value in values.items():
        if value <= 0:
            raise InputError(f"model.{name} is too small", got=value, needed="a number above 0")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

"""LoRA with a task axis. The only module that imports `peft`.

Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models, 2021. PEFT injects, configures and
saves; the layer below is PEFT's own, except that it reads its matrices from a stack while one is
active.
"""

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
import torch.nn.functional as F
from peft.tuners.lora.layer import Linear as PeftLinear
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN
from torch import Tensor, nn

from fewshot.errors import InputError
from fewshot.models.adapter_files import CONFIG, read_adapter, read_config
from fewshot.models.backbone import Conv1D
from fewshot.models.lora_settings import Lora
from fewshot.models.segments import Segments
from fewshot.models.stack import Stack
from fewshot.models.targets import LINEAR, check_rank, targets_of

ADAPTER = "default"
NO_TOKENS = Segments(())
Multiply = Callable[[Tensor, Tensor], Tensor]
JOINT = 256  # ranks of all tasks together up to which their matrices are multiplied at once


@dataclass
class ActiveStack:
    """What the LoRA layers of one model read during a forward pass."""

    stack: Stack | None = None
    segments: Segments = NO_TOKENS
    multiply: Multiply = F.linear


class StackedLinear(PeftLinear):
    """PEFT's LoRA layer; its matrices come from the active stack where there is one."""

    active: ActiveStack
    key: str

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Base layer plus `scaling * B A x` with each row's own A (r, in) and B (out, r)."""
        if self.active.stack is None:
            plain: Tensor = super().forward(x, *args, **kwargs)
            return plain
        result: Tensor = self.base_layer(x, *args, **kwargs)
        if f"{self.key}.A" not in self.active.stack:
            return result
        # scaled and cast here, where it is small; the stack itself stays float32
        down = self.active.stack[f"{self.key}.A"].to(x.dtype)
        up = (self.scaling[ADAPTER] * self.active.stack[f"{self.key}.B"]).to(x.dtype)
        adapted: Tensor = result + low_rank(x, down, up, self.active.segments, self.active.multiply)
        return adapted


def low_rank(
    x: Tensor, down: Tensor, up: Tensor, segments: Segments, multiply: Multiply = F.linear
) -> Tensor:
    """`B A x` for each token, with the matrices of its task.

    One batched product where every task has as many tokens. Else all tasks' matrices at once, with what
    is not a token's own set to 0 in between: a few large products, as long as the ranks add up to little
    beside the width. Else one product a task.

    Args:
        x: activations, (..., in), tokens in the order of their tasks.
        down: A of each task, (T, r, in).
        up: B of each task, (T, out, r).
        segments: the tokens of each task.
        multiply: `x W^T` for x (n, in) and W (out, in).
    """
    tasks, rank, width = down.shape
    tokens = x.reshape(-1, width)
    if segments.balanced:
        result = torch.bmm(torch.bmm(tokens.view(tasks, -1, width), down.mT), up.mT)
    elif tasks * rank <= JOINT:
        inner = multiply(tokens, down.reshape(-1, width)).view(-1, tasks, rank) * segments.owner(tokens)
        result = multiply(inner.view(-1, tasks * rank), up.transpose(0, 1).reshape(-1, tasks * rank))
    else:
        each = zip(torch.split(tokens, list(segments.counts)), down.unbind(), up.unbind(), strict=True)
        result = torch.cat([rows @ a.mT @ b.mT for rows, a, b in each])
    return result.view(*x.shape[:-1], up.shape[1])


class LoraAdapter:
    """LoRA injected into a frozen backbone.

    Args:
        backbone: the model; its own weights are frozen here.
        settings: rank, targets, layers, seed.
        multiply: as for `low_rank`.

    Raises:
        InputError: modules or layers that the backbone does not have.
    """

    def __init__(self, backbone: nn.Module, settings: Lora, multiply: Multiply = F.linear) -> None:
        self.active, self._seed = ActiveStack(multiply=multiply), settings.seed
        self._rank = settings.rank
        targets = targets_of(backbone, settings, KNOWN)
        check_rank(backbone, targets, settings.rank)
        config = peft.LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            target_modules=targets,
            bias="none",
            fan_in_fan_out=isinstance(backbone.get_submodule(targets[0]), Conv1D),  # GPT-2's linear maps
        )
        config._register_custom_module(dict.fromkeys(LINEAR, StackedLinear))
        # PEFT draws matrices from the generator of the whole process, and `_hold` puts others in their place
        with torch.random.fork_rng(_gpus(backbone)), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)  # it asks transformers an old name
            self.model = peft.get_peft_model(backbone, config)
        self.layers = {
            name: layer for name, layer in backbone.named_modules() if isinstance(layer, StackedLinear)
        }
        for name, layer in self.layers.items():
            layer.key, layer.active = name, self.active
        self._hold(self.fresh())

    def parameters(self) -> dict[str, nn.Parameter]:
        """`<layer>.A` (r, in) and `<layer>.B` (out, r) of every adapted layer."""
        return {
            f"{name}.{letter}": _weight(matrices)
            for name, layer in self.layers.items()
            for letter, matrices in (("A", layer.lora_A), ("B", layer.lora_B))
        }

    def fresh(self) -> dict[str, Tensor]:
        """The matrices before any training: random A, drawn from the seed, and B at zero, as in the paper."""
        generator = torch.Generator().manual_seed(self._seed)
        fresh = {name: torch.zeros(value.shape) for name, value in self.parameters().items()}
        for name, value in fresh.items():
            if name.endswith(".A"):
                nn.init.kaiming_uniform_(value, a=5**0.5, generator=generator)
        return fresh

    @contextlib.contextmanager
    def using(self, stack: Stack, segments: Segments) -> Iterator[None]:
        """Inside, the layers read `stack`; see `low_rank` for `segments`."""
        self.active.stack, self.active.segments = stack, segments
        try:
            yield
        finally:
            self.active.stack, self.active.segments = None, NO_TOKENS

    @contextlib.contextmanager
    def holding(self, values: Mapping[str, Tensor]) -> Iterator[None]:
        """Inside, the matrices are others than the meta-parameters; those that are not named are 0."""
        own = {name: value.detach().clone() for name, value in self.parameters().items()}
        self._hold({name: values.get(name, torch.zeros_like(value)) for name, value in own.items()})
        try:
            yield
        finally:
            self._hold(own)

    def _hold(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in self.parameters().items():
                value.copy_(values[name])

    def save(self, folder: Path, base: str) -> None:
        """The adapter in PEFT's own format: `adapter_config.json`, `adapter_model.safetensors`.

        Args:
            folder: where they go.
            base: what the configuration names as the base model.
        """
        self.model.save_pretrained(str(folder), save_embedding_layers=False)
        config = folder / "adapter_config.json"
        content = json.loads(config.read_text(encoding="utf-8"))
        content["base_model_name_or_path"] = base
        content["target_modules"].sort()  # a set in PEFT; in order, so that the same run writes the same file
        config.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty template of a model card

    def load(self, folder: Path) -> None:
        """Reads what `save` wrote into the meta-parameters.

        Raises:
            InputError: an adapter of other layers, modules or rank.
        """
        own = peft.get_peft_model_state_dict(self.model, adapter_name=ADAPTER)
        if (claimed := read_config(folder)["r"]) != self._rank:
            raise InputError(
                "the saved adapter has another rank than model.lora asks for",
                where=folder / CONFIG,
                got=claimed,
                needed=self._rank,
                fix="take the rank that it was trained with",
            )
        state = read_adapter(folder, {name: tuple(value.shape) for name, value in own.items()})
        peft.set_peft_model_state_dict(self.model, state, adapter_name=ADAPTER)


def _gpus(model: nn.Module) -> list[torch.device]:
    """Those that hold a part of a model."""
    return list({value.device for value in model.parameters() if value.device.type == "cuda"})


def _weight(matrices: nn.ModuleDict) -> nn.Parameter:
    weight = matrices[ADAPTER].weight
    assert isinstance(weight, nn.Parameter)
    return weight

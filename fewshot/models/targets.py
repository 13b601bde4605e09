"""Which linear layers of a backbone are adapted."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fewshot.errors import InputError, listing, suggestion
from fewshot.models.backbone import Conv1D
from fewshot.models.lora_settings import Lora

LINEAR = (nn.Linear, Conv1D)
AUTO, ALL_LINEAR = "auto", "all-linear"  # in place of names
Known = Mapping[str, Sequence[str]]


def targets_of(backbone: nn.Module, settings: Lora, known: Known) -> list[str]:
    """Full names of the linear layers to adapt.

    Args:
        backbone: the model.
        settings: which modules of which layers.
        known: the modules that 'auto' stands for, by kind of model.

    Raises:
        InputError: modules or layers that the backbone does not have, or not together.
    """
    linear = [name for name, module in backbone.named_modules() if _is_linear(module, backbone)]
    in_blocks = {name: block for name in linear if (block := _block(name)) is not None}
    if not in_blocks:
        raise InputError("no numbered layers with linear maps were found", where=type(backbone).__name__)
    chosen = settings.chosen_layers(max(in_blocks.values()) + 1)
    kinds = sorted({name.rsplit(".", 1)[-1] for name in in_blocks})
    modules = [each for module in settings.modules for each in _modules(module, backbone, kinds, known)]
    unknown = [module for module in modules if not any(_ends(name, module) for name in in_blocks)]
    if unknown:
        words = [AUTO, ALL_LINEAR] if _kind(backbone) in known else [ALL_LINEAR]
        raise InputError(
            f"the backbone has no linear module {unknown[0]!r}",
            where=f"model.lora.modules, {type(backbone).__name__}",
            got=listing(settings.modules),
            needed=f"names among {listing(kinds, 20)}, or {' or '.join(words)}",
            fix=suggestion(unknown[0], [*kinds, *words]),
        )
    wanted = [name for name, block in in_blocks.items() if block in chosen]
    found = [name for name in wanted if any(_ends(name, module) for module in modules)]
    for module in settings.modules:  # what a word stands for need not all be there in a model of mixed layers
        own = modules if module in (AUTO, ALL_LINEAR) else [module]
        if not any(_ends(name, each) for name in found for each in own):
            raise _elsewhere(module, own, in_blocks, chosen, type(backbone).__name__)
    return found


def _elsewhere(
    module: str, own: Sequence[str], in_blocks: Mapping[str, int], chosen: Collection[int], kind: str
) -> InputError:
    """What to say of modules that the backbone has, but in none of the chosen layers."""
    there = sorted({block for name, block in in_blocks.items() if any(_ends(name, each) for each in own)})
    return InputError(
        f"no layer that is adapted has the linear module {module!r}",
        where=f"model.lora.modules and model.lora.layers, {kind}",
        got=f"layers {listing(sorted(chosen), 20)}",
        needed=f"one of its layers at least: {listing(there, 20)}",
        fix="choose among these layers, or modules that yours have",
    )


def check_rank(backbone: nn.Module, targets: Sequence[str], rank: int) -> None:
    """Refuses a rank that no layer can use, before memory is taken for it.

    Raises:
        InputError: beyond the longer side of every adapted map.
    """
    widest = max(max(backbone.get_submodule(name).weight.shape) for name in targets)  # type: ignore[arg-type]
    if rank > widest:
        raise InputError(
            "model.lora.rank is too large",
            got=rank,
            needed=f"at most {widest}, the width of the widest adapted layer",
        )


def _modules(module: str, backbone: nn.Module, kinds: Sequence[str], known: Known) -> Sequence[str]:
    """What a word of `lora.modules` stands for.

    Raises:
        InputError: 'auto' for a kind of model that PEFT has no choice for.
    """
    if module != AUTO:
        return kinds if module == ALL_LINEAR else [module]
    kind = _kind(backbone)
    if kind not in known:
        raise InputError(
            "PEFT has no choice of modules for this kind of model",
            where="model.lora.modules: auto",
            got=kind,
            needed=f"names among {listing(kinds, 20)}, or {ALL_LINEAR}",
            fix=f"--model.lora.modules '[{ALL_LINEAR}]', or some of these names",
        )
    return known[kind]


def _kind(backbone: nn.Module) -> str:
    """As transformers calls this kind of model, and PEFT in its choices."""
    config: Any = getattr(backbone, "config", None)
    kind: str = getattr(config, "model_type", type(backbone).__name__)
    return kind


def _is_linear(module: nn.Module, backbone: nn.Module) -> bool:
    """Whether it is a linear map; a kind of the model's own may give more than a product, as routers do."""
    if not isinstance(module, LINEAR):
        return False
    return type(module).__module__ != type(backbone).__module__ or _gives_a_product(module)


def _gives_a_product(module: Any) -> bool:
    """Whether it gives one vector for another."""
    wide, narrow = module.in_features, module.out_features
    try:
        with torch.no_grad():
            found = module(torch.zeros_like(module.weight[:1, :1]).expand(1, wide))
    except (RuntimeError, TypeError, ValueError):  # one that takes more than a vector
        return False
    return isinstance(found, Tensor) and found.shape == (1, narrow)


def _ends(name: str, module: str) -> bool:
    return name == module or name.endswith(f".{module}")


def _block(name: str) -> int | None:
    """The number of the layer that a module belongs to: 'encoder.layer.3.output.dense' -> 3."""
    return next((int(part) for part in name.split(".") if part.isdigit()), None)

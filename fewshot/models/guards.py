"""What must not be combined; refused with the remedy before anything runs."""

from torch import nn

from fewshot.errors import InputError
from fewshot.models.compute import Quantised

FIRST_ORDER = "set algorithm.order to 1"


def check_twice_differentiable(backbone: nn.Module, quantised: Quantised = "none") -> None:
    """Refuses a backbone through which a second derivative would fail or be wrong.

    Args:
        backbone: as it was loaded.
        quantised: what it was quantised to; a folder can hold a model that is quantised already.

    Raises:
        InputError: quantised weights, re-entrant checkpointing, or a compiled model.
    """
    if quantised != "none":
        raise InputError(
            "second order does not run on a quantised base",
            where="model.compute.quantised",
            got=f"{quantised}: products of such weights have no second derivative",
            needed="none with algorithm.order 2",
            fix="set model.compute.quantised to none, or algorithm.order to 1",
        )
    if getattr(backbone, "is_quantized", False) or getattr(backbone, "is_loaded_in_4bit", False):
        raise InputError(
            "second order does not run on a quantised base",
            where="model.backbone",
            got=f"{type(backbone).__name__} with quantised weights: their products have no second derivative",
            needed="float32 or bfloat16 weights with algorithm.order 2",
            fix=f"{FIRST_ORDER}, or take a backbone that is not quantised",
        )
    if any(getattr(module, "gradient_checkpointing", False) for module in backbone.modules()):
        raise InputError(
            "second order does not run through activation checkpointing",
            where="model.backbone",
            got="a backbone with gradient checkpointing on, which cuts the second derivative off",
            needed="checkpointing off with algorithm.order 2, which keeps its memory flat by itself",
            fix=f"call gradient_checkpointing_disable(), or {FIRST_ORDER}",
        )
    if any(_compiled(module) for module in backbone.modules()):
        raise InputError(
            "second order does not run under torch.compile",
            where="model.backbone",
            got="a compiled backbone, whose backward pass cannot be differentiated",
            needed="a backbone that is not compiled with algorithm.order 2",
            fix=f"leave torch.compile out, or {FIRST_ORDER}",
        )


def _compiled(module: nn.Module) -> bool:
    return module._compiled_call_impl is not None or hasattr(module, "_orig_mod")

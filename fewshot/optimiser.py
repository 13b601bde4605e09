"""The optimiser of the outer loop."""

from collections.abc import Mapping

import torch
from torch import Tensor

from fewshot.outer import Training


def adamw(parameters: Mapping[str, Tensor], settings: Training, lr_factor: float) -> torch.optim.AdamW:
    """AdamW; weight decay on the adapter alone, the algorithm's own rate for its parameters.

    Args:
        parameters: the meta-parameters, by names that begin with adapter, head or algorithm.
        settings: rate and weight decay.
        lr_factor: the rate of the algorithm's parameters, in units of the adapter's.
    """
    groups: dict[str, list[Tensor]] = {"adapter": [], "head": [], "algorithm": []}
    for name, parameter in parameters.items():
        groups[name.split(".")[0]].append(parameter)
    options: Mapping[str, dict[str, float]] = {
        "adapter": {"weight_decay": settings.weight_decay},
        "head": {},
        "algorithm": {"lr": settings.lr * lr_factor},
    }
    used = [{"params": group} | options[name] for name, group in groups.items() if group]
    return torch.optim.AdamW(used, lr=settings.lr, weight_decay=0.0)

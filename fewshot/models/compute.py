"""Where and in what the frozen backbone is computed."""

import time
from dataclasses import dataclass
from typing import Literal

import torch

from fewshot.errors import InputError

SHAPE = (1024, 384, 1536)  # rows, in, out: a batch of short texts through one map of a small encoder
ROUNDS = 5
WORTH = 1.5  # casting to and from float32 costs some of what bfloat16 gains


@dataclass(frozen=True)
class Compute:
    """Device, precision and attention of the backbone.

    Args:
        device: 'auto' takes a GPU where there is one.
        dtype: of the frozen weights; 'auto' takes bfloat16 where the device multiplies it faster.
            What is learned is float32 in any case.
        attention: 'auto' takes eager attention on a CPU and for second order, which needs it, else sdpa.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    attention: Literal["auto", "eager", "sdpa"] = "auto"

    def chosen_device(self) -> torch.device:
        """The device.

        Raises:
            InputError: cuda where there is none.
        """
        found = "cuda" if torch.cuda.is_available() else "cpu"
        if self.device == "cuda" != found:
            raise InputError(
                "there is no CUDA device", where="model.compute.device", fix="take 'auto' or 'cpu'"
            )
        return torch.device(found if self.device == "auto" else self.device)

    def chosen_dtype(self) -> torch.dtype:
        """The type; for 'auto' bfloat16 if it is 1.5 times as fast, by a measurement of some milliseconds."""
        if self.dtype != "auto":
            return torch.bfloat16 if self.dtype == "bfloat16" else torch.float32
        device = self.chosen_device()
        gain = _seconds(torch.float32, device) / _seconds(torch.bfloat16, device)
        return torch.bfloat16 if gain > WORTH else torch.float32

    def chosen_attention(self) -> str | None:
        """'eager' or 'sdpa' before the order of the algorithm is known; None: the model's own choice."""
        if self.attention != "auto":
            return self.attention
        # short texts on two CPU cores: sdpa took 1.2 times as long as eager, 1.9 times in bfloat16
        return None if self.chosen_device().type == "cuda" else "eager"


def _seconds(dtype: torch.dtype, device: torch.device) -> float:
    """The shortest time of one product; the first warms up."""
    rows, width, out = SHAPE
    left = torch.ones(rows, width, dtype=dtype, device=device)
    right = torch.ones(width, out, dtype=dtype, device=device)
    times = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        (left @ right)[0, 0].item()
        times.append(time.perf_counter() - started)
    return min(times[1:])

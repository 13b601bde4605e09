"""What the frozen backbone is multiplied in."""

import time

import torch

SHAPE = (1024, 384, 1536)  # rows, in, out: a batch of short texts through one map of a small encoder
ROUNDS = 5
WORTH = 1.5  # casting to and from the adapters' float32 costs some of what bfloat16 gains


def choose_dtype(wanted: str) -> torch.dtype:
    """The type that 'float32' and 'bfloat16' name; for 'auto' what this machine multiplies faster.

    bfloat16 is taken where it is at least 1.5 times as fast, by a measurement of some milliseconds.
    """
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    return torch.bfloat16 if _seconds(torch.float32) > WORTH * _seconds(torch.bfloat16) else torch.float32


def _seconds(dtype: torch.dtype) -> float:
    """The shortest time of one product; the first warms up."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows, width, out = SHAPE
    left = torch.ones(rows, width, dtype=dtype, device=device)
    right = torch.ones(width, out, dtype=dtype, device=device)
    times = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        (left @ right)[0, 0].item()
        times.append(time.perf_counter() - started)
    return min(times[1:])

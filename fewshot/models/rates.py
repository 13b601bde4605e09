"""How fast this machine multiplies, in what and by which library: measured once in a process."""

import functools
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from fewshot.models.products import has_onednn, multiply
from fewshot.processes import Processes

# rows, in, out: on a CPU a batch of short texts through one map of a small encoder; a GPU takes that in less
# time than it takes to ask for it
SHAPES = {"cpu": (1024, 384, 1536), "cuda": (8192, 1024, 4096)}
SQUARES = {"cpu": (1024, 2048), "cuda": (4096,)}
ROUNDS = {"cpu": 5, "cuda": 20}
_GAINS: dict[str, float] = {}  # measured once in a process


def bfloat16_gain(device: torch.device) -> float:
    """How many times as fast as float32 products bfloat16 ones are, measured once."""
    name, shape = f"bfloat16 on {device.type}", SHAPES[device.type]
    if name not in _GAINS:
        slow, fast = (min(_seconds(dtype, device, shape)) for dtype in (torch.float32, torch.bfloat16))
        _GAINS[name] = slow / fast
    return _GAINS[name]


def onednn_gain() -> float:
    """How many times as fast as those of torch's BLAS float32 products of oneDNN are, measured once."""
    if "onednn" not in _GAINS:
        blas, onednn = _seconds(torch.float32, torch.device("cpu"), SHAPES["cpu"])
        _GAINS["onednn"] = blas / onednn
    return _GAINS["onednn"]


def agree(processes: Processes) -> None:
    """What 'auto' becomes by a measurement is the same in all processes: what the first one found."""
    if processes.size > 1:
        for kind in ("cpu", *(("cuda",) if torch.cuda.is_available() else ())):
            bfloat16_gain(torch.device(kind))
        if has_onednn():
            onednn_gain()
        _GAINS.update(processes.from_first(_GAINS))


@functools.cache
def product_rate(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Operations per second of the best square product, by any library; measured once."""
    sizes = SQUARES[device.type]
    return max(2 * size**3 / min(_seconds(dtype, device, (size, size, size))) for size in sizes)


def _seconds(dtype: torch.dtype, device: torch.device, shape: tuple[int, int, int]) -> list[float]:
    """The shortest time of one product by torch and, of float32 on a CPU, by oneDNN; the first warms up."""
    rows, width, out = shape
    left = torch.ones(rows, width, dtype=dtype, device=device)
    right = torch.ones(out, width, dtype=dtype, device=device)
    ways: list[Callable[[Tensor, Tensor], Tensor]] = [F.linear]
    if dtype == torch.float32 and device.type == "cpu" and has_onednn():
        ways.append(multiply)
    found = []
    for way in ways:
        times = []
        for _ in range(ROUNDS[device.type] + 1):
            started = time.perf_counter()
            way(left, right)[0, 0].item()
            times.append(time.perf_counter() - started)
        found.append(min(times[1:]))
    return found

"""Memory of the device that the model runs on: what is free, what some work takes, what ran out."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

PAGES = Path("/proc/self/clear_refs")  # Linux: writing 5 sets the peak back to what is resident now
STATUS = Path("/proc/self/status")
CGROUP = Path("/sys/fs/cgroup")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the host."""
    host = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return host or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken.

    On a CPU within the limit of the control group, where there is one, and by as much as each other process
    of a training on this machine takes.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    available = int(psutil.virtual_memory().available)
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no such group, or no limit
        limit, used = available, 0
    return min(available, limit - used) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that was allocated on a GPU, or resident here, since `growth` was last asked."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        return _resident_peak()
    except (OSError, StopIteration):  # not Linux; there it would hold the peak of the parent process
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def growth(device: torch.device, work: Callable[[], object]) -> int | None:
    """Bytes that `work` takes at its highest beyond what was there before; None where it cannot be told."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return int(torch.cuda.max_memory_allocated(device)) - before
    try:
        PAGES.write_text("5")
        before = _resident_peak()
    except (OSError, StopIteration):
        work()
        return None
    work()
    return max(0, _resident_peak() - before)


def _resident_peak() -> int:
    lines = STATUS.read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

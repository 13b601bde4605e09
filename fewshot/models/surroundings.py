"""What the last bits of a result depend on beside the model and its input."""

import functools
import os
import platform
from pathlib import Path
from typing import Any

import torch

from fewshot.versions import version_of

# lines of /proc/cpuinfo that tell kinds of processors apart, on x86 and on ARM
PROCESSOR = ("vendor_id", "cpu family", "model", "stepping", "cache size", "flags", "CPU ", "Features")
# environment variables by which libraries take other kernels
SWITCHES = (
    "MKL_CBWR",
    "MKL_ENABLE",
    "MKL_DEBUG",
    "ONEDNN_",
    "DNNL_",
    "OPENBLAS_CORE",
    "CUBLAS_",
    "NVIDIA_TF32",
)


def surroundings(device: torch.device) -> dict[str, Any]:
    """What the last bits of a result depend on beside the model and its input."""
    return _hardware(device) | {
        "device": device.type,
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "precision": torch.get_float32_matmul_precision(),
    }


@functools.cache
def _hardware(device: torch.device) -> dict[str, Any]:
    """What does not change while the process runs."""
    switches = {name: value for name, value in os.environ.items() if name.startswith(SWITCHES)}
    return {
        "versions": {name: version_of(name) for name in ("fewshot", "torch", "transformers")},
        "hardware": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "switches": switches,
    }


def _processor() -> str:
    """The kind of processor: libraries choose their kernels by it."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return platform.processor()
    return "; ".join(" ".join(line.split()) for line in first.splitlines() if line.startswith(PROCESSOR))

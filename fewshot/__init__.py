"""Gradient-based few-shot meta-learning for language models."""

from typing import TYPE_CHECKING, Any

from fewshot.errors import FewshotError, InputError

if TYPE_CHECKING:
    from fewshot.algorithms.maml import MAML
    from fewshot.algorithms.mamladam import MAMLAdam
    from fewshot.classify.estimator import FewShotClassifier
    from fewshot.classify.many import MultiTaskPredictor
    from fewshot.classify.task import AdaptedTask, adapt
    from fewshot.classify.writer import FewShotWriter
    from fewshot.data.augment import Augmentation
    from fewshot.data.clean import Cleaning
    from fewshot.data.example import Example
    from fewshot.data.find import Columns
    from fewshot.data.pool import Pool
    from fewshot.data.reading import Reading
    from fewshot.data.split import ClassSplit
    from fewshot.evaluation import Evaluation, evaluate
    from fewshot.models.causal import LoraCausal
    from fewshot.models.compute import Compute
    from fewshot.models.encoder import LoraEncoder
    from fewshot.models.lora_settings import Lora
    from fewshot.outer import Training, Validation
    from fewshot.run import Run
    from fewshot.tasks.attributes import Attributes
    from fewshot.tasks.augmented import Augmented
    from fewshot.tasks.coarse import CoarseToFine
    from fewshot.tasks.crossdomain import CrossDomain
    from fewshot.tasks.dialogue import Dialogue
    from fewshot.tasks.domains import Domains
    from fewshot.tasks.episode import Episode
    from fewshot.tasks.family import TaskFamily
    from fewshot.tasks.inflections import Inflections
    from fewshot.tasks.manifest import Manifest, Replayed
    from fewshot.tasks.masked import MaskedWords
    from fewshot.tasks.matching import Matching
    from fewshot.tasks.mixture import Mixture
    from fewshot.tasks.nway import NWayKShot
    from fewshot.tasks.outofscope import OutOfScope
    from fewshot.tasks.pairs import TextPairs
    from fewshot.tasks.published import PublishedEpisodes
    from fewshot.tasks.records import Records
    from fewshot.tasks.strings import StringTasks
    from fewshot.tasks.variable import VariableWayShot
    from fewshot.tasks.views import Views
    from fewshot.training import Trainer

_HOME = {
    "MAML": "algorithms.maml",
    "MAMLAdam": "algorithms.mamladam",
    "AdaptedTask": "classify.task",
    "FewShotClassifier": "classify.estimator",
    "FewShotWriter": "classify.writer",
    "MultiTaskPredictor": "classify.many",
    "adapt": "classify.task",
    "Augmentation": "data.augment",
    "Cleaning": "data.clean",
    "Example": "data.example",
    "Columns": "data.find",
    "Pool": "data.pool",
    "Reading": "data.reading",
    "ClassSplit": "data.split",
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "Compute": "models.compute",
    "LoraCausal": "models.causal",
    "LoraEncoder": "models.encoder",
    "Lora": "models.lora_settings",
    "Training": "outer",
    "Validation": "outer",
    "Attributes": "tasks.attributes",
    "Augmented": "tasks.augmented",
    "CoarseToFine": "tasks.coarse",
    "CrossDomain": "tasks.crossdomain",
    "Dialogue": "tasks.dialogue",
    "Domains": "tasks.domains",
    "Episode": "tasks.episode",
    "TaskFamily": "tasks.family",
    "Inflections": "tasks.inflections",
    "Manifest": "tasks.manifest",
    "Replayed": "tasks.manifest",
    "MaskedWords": "tasks.masked",
    "Mixture": "tasks.mixture",
    "NWayKShot": "tasks.nway",
    "OutOfScope": "tasks.outofscope",
    "TextPairs": "tasks.pairs",
    "PublishedEpisodes": "tasks.published",
    "Matching": "tasks.matching",
    "Records": "tasks.records",
    "StringTasks": "tasks.strings",
    "VariableWayShot": "tasks.variable",
    "Views": "tasks.views",
    "Run": "run",
    "Trainer": "training",
}

__all__ = [
    "MAML",
    "AdaptedTask",
    "Attributes",
    "Augmentation",
    "Augmented",
    "ClassSplit",
    "Cleaning",
    "CoarseToFine",
    "Columns",
    "Compute",
    "CrossDomain",
    "Dialogue",
    "Domains",
    "Episode",
    "Evaluation",
    "Example",
    "FewShotClassifier",
    "FewShotWriter",
    "FewshotError",
    "Inflections",
    "InputError",
    "Lora",
    "LoraCausal",
    "LoraEncoder",
    "MAMLAdam",
    "Manifest",
    "MaskedWords",
    "Matching",
    "Mixture",
    "MultiTaskPredictor",
    "NWayKShot",
    "OutOfScope",
    "Pool",
    "PublishedEpisodes",
    "Reading",
    "Records",
    "Replayed",
    "Run",
    "StringTasks",
    "TaskFamily",
    "TextPairs",
    "Trainer",
    "Training",
    "Validation",
    "VariableWayShot",
    "Views",
    "adapt",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: torch alone takes over a second."""
    if name not in _HOME:
        raise AttributeError(f"module 'fewshot' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"fewshot.{_HOME[name]}"), name)

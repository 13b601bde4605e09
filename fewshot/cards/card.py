"""The `README.md` of a run: a model card, in the form that the Hugging Face hub reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from fewshot.cards.body import body, flat
from fewshot.cards.facts import Adapter, Facts, Source
from fewshot.cards.licences import CARD, common, stated_by_backbone, stated_by_source
from fewshot.outer import Training
from fewshot.run import Run
from fewshot.tasks.family import TaskFamily
from fewshot.untrusted.yaml_files import read_yaml
from fewshot.versions import PACKAGE

__all__ = ["CARD", "card", "facts_of"]

INDEXED = ("accuracy", "recall", "f1")  # results that the hub lists


def card(run: Run, folder: Path, family: TaskFamily, training: Training, data: Mapping[str, Any]) -> str:
    """The text of a model card.

    Args:
        run: with its test results.
        folder: its directory; configuration and adapter are written already.
        family: what it was trained and tested on.
        training: the outer loop.
        data: the content of `data.json`.
    """
    facts = facts_of(run, folder, family, training, data)
    return str(ModelCard(f"---\n{metadata(facts).to_yaml()}\n---\n\n{body(facts)}"))


def facts_of(
    run: Run, folder: Path, family: TaskFamily, training: Training, data: Mapping[str, Any]
) -> Facts:
    """What the card says; for the arguments see `card`."""
    adapter = Adapter.read(folder / "adapter")
    config = read_yaml(folder / "config.yaml")
    return Facts(
        name=flat(folder.name) or "run",
        run=run,
        family=family,
        training=training,
        adapter=adapter,
        beside=(folder / "meta.safetensors").stat().st_size,
        sources=[
            Source(each, stated_by_source(each["source"], each["revision"])) for each in data["sources"]
        ],
        data=data,
        backbone_licence=stated_by_backbone(_place(adapter.base)) if adapter.base else None,
        again="family" in (config or {}),
    )


def _place(base: str) -> str:
    """Where a backbone was loaded from: the default one may be an installed package."""
    from fewshot.models.backbone import MINILM, MINILM_HUB, find_backbone  # here: takes seconds to import

    return find_backbone(MINILM) if base == MINILM_HUB else base


def metadata(facts: Facts) -> ModelCardData:
    """What the hub reads of a card."""
    adapter = facts.adapter
    return ModelCardData(
        base_model=adapter.hub_base,
        datasets=[source.hub for source in facts.sources if source.hub] or None,
        library_name="peft" if adapter.config else PACKAGE,
        license=common(facts.licences),
        metrics=list(INDEXED),
        model_name=facts.name,
        pipeline_tag=_task(facts),
        tags=["few-shot", "meta-learning", *(["lora"] if adapter.lora else []), PACKAGE],
        eval_results=[_result(facts, name) for name in INDEXED],
    )


def _task(facts: Facts) -> str:
    return "text-generation" if facts.writes else "text-classification"


def _result(facts: Facts, score: str) -> EvalResult:
    """The mean of a score over the test tasks."""
    name = ", ".join(flat(source.name) for source in facts.sources) or type(facts.family).__name__
    alone = facts.sources[0] if len(facts.sources) == 1 else None
    return EvalResult(
        task_type=_task(facts),
        task_name=f"few-shot tasks, {facts.setting}",
        dataset_type=(alone.hub if alone else None) or name,
        dataset_name=name,
        dataset_split="test",
        dataset_revision=alone.entry["revision"] if alone else None,
        metric_type=score,
        metric_name=f"{score}, mean of {facts.summary['episodes']} test tasks",
        metric_value=facts.summary[score]["mean"],
    )

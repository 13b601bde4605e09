"""An adapted task on disk: PEFT's files, and beside them what PEFT has no place for.

`adapter_config.json` and `adapter_model.safetensors` load with plain PEFT; `head.safetensors` has the head
and the features of the examples, `support.jsonl` the examples, `task.json` the rest.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fewshot.checkpoint import save_tensors
from fewshot.classify.examples import Labelled
from fewshot.classify.learned import Learned
from fewshot.classify.task import AdaptedTask
from fewshot.config import build_learning, read_config
from fewshot.errors import InputError
from fewshot.files import whole, write_json, write_text
from fewshot.loading import compute_of
from fewshot.models.lora_learner import LoraLearner
from fewshot.untrusted.code import check_code
from fewshot.untrusted.tensors import Wanted, read_tensors
from fewshot.untrusted.values import parse_json, read_json, read_text
from fewshot.versions import SCHEMA, versions

HEAD, SUPPORT, ABOUT = "head.safetensors", "support.jsonl", "task.json"
FEATURES, SCALE = "support.features", "log_scale"


@dataclass(frozen=True)
class Stored:
    """A task that was read back.

    Args:
        meta: the model that answers, with no more of its run than that takes.
        task: what was learned.
        about: the content of `task.json`.
    """

    meta: Learned
    task: AdaptedTask
    about: Mapping[str, Any]


def save_task(folder: Path, task: AdaptedTask, meta: Learned) -> None:
    """Writes a task, whole or not at all.

    Args:
        folder: its directory; replaced where it is there.
        task: what was learned.
        meta: the run that it was learned with.

    Raises:
        InputError: a model without an adapter that PEFT could read.
    """
    from fewshot.models.backbone import backbone_sha256

    model, config = meta.model, read_config(meta.folder / "config.yaml")
    if not isinstance(model, LoraLearner):
        raise InputError(
            "this model has no adapter that PEFT could read",
            where=meta.folder,
            got=type(model).__name__,
            needed="a run of LoraEncoder or LoraCausal",
        )
    names = set(model.adapter())
    head = {name: value for name, value in task.tensors.items() if name not in names}
    head[SCALE] = model.head.log_scale.detach().cpu()
    if task.features is not None:
        head[FEATURES] = task.features
    backbone = config["model"].get("init_args", {}).get("backbone", "minilm")
    about = {
        "schema": SCHEMA,
        "writes": task.writes,
        "classes": () if task.writes else task.classes,
        "shots": {} if task.writes else task.support.shots,
        "run": meta.name,
        "backbone": backbone,
        "backbone_sha256": backbone_sha256(backbone),
        "model": config["model"],
        "algorithm": config["algorithm"],
        "seconds": task.seconds,
        "versions": versions(),
    }
    pairs = zip(task.support.texts, task.support.labels, strict=True)
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in pairs]
    with whole(folder) as temporary:
        temporary.mkdir()
        with meta.lock:
            model.save_adapted(temporary, {n: v for n, v in task.tensors.items() if n in names})
        save_tensors(temporary / HEAD, {name: value.contiguous() for name, value in head.items()})
        write_text(temporary / SUPPORT, "".join(lines))
        write_json(temporary / ABOUT, about)


def load_task(folder: Path, device: str | None = None) -> Stored:
    """Reads a task and builds the model that answers for it.

    Args:
        folder: its directory.
        device: in place of the one that it was learned on.

    Raises:
        InputError: no such directory, files that are not whole, a backbone with other weights.
    """
    about = read_about(folder)
    compute_of(about, folder / ABOUT)["device"] = device or "auto"
    model, algorithm = build_learning(about, folder / ABOUT)
    _check_backbone(folder, about)
    model.load_adapter(folder)
    support = read_support(folder)
    head = _head(folder, support, model.head.size)
    with torch.no_grad():
        model.head.log_scale.copy_(head.pop(SCALE))
    features = head.pop(FEATURES, None)
    adapter = {name: value.detach().cpu() for name, value in model.adapter().items()}
    task = AdaptedTask(support, adapter | head, features, float(about["seconds"]), about.get("writes", False))
    return Stored(Learned(str(about["run"]), folder, model, algorithm), task, about)


def read_about(folder: Path) -> dict[str, Any]:
    """The content of `task.json`, as far as it can be a task.

    Raises:
        InputError: no such directory, another version, values of other kinds, code that is not trusted.
    """
    about, file = _about(folder), folder / ABOUT
    check_code(about, file)
    compute_of(about, file)
    _check_kinds(about, file)
    return about


def _about(folder: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = read_json(folder / ABOUT)
        missing = {"schema", "run", "backbone", "model", "algorithm", "seconds"} - set(about)
        if not isinstance(about, dict):
            raise TypeError("no object")
    except (OSError, ValueError, TypeError) as error:
        why = f": {error}" if (folder / ABOUT).is_file() else ""
        raise InputError(
            "this is no adapted task",
            where=folder,
            got=f"a folder without a readable {ABOUT}{why}" if folder.is_dir() else "no such folder",
            needed="what `fewshot adapt --out` writes",
        ) from error
    if missing or about["schema"] != SCHEMA:
        raise InputError(
            "the task was written by another version",
            where=folder / ABOUT,
            got=f"without {', '.join(sorted(missing))}" if missing else f"schema {about['schema']}",
            needed=f"schema {SCHEMA}",
            fix="adapt again, from support.jsonl",
        )
    return about


def _check_kinds(about: Mapping[str, Any], where: Path) -> None:
    """Refuses what the rest of `task.json` cannot be.

    Raises:
        InputError: a value of another kind, or a backbone that is not the one of the model.
    """
    arguments = about["model"]["init_args"]
    built = arguments.get("backbone", "minilm")
    seconds = about["seconds"]
    if not isinstance(about.get("writes", False), bool):
        raise InputError(
            "the task is damaged",
            where=where,
            got=f"writes: {about['writes']!r}"[:80],
            needed="true or false",
        )
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InputError(
            "the task is damaged", where=where, got=f"seconds: {seconds!r}"[:80], needed="a number"
        )
    if about["backbone"] != built or not isinstance(built, str):
        raise InputError(
            "the task names two backbones",
            where=where,
            got=f"{about['backbone']!r} and {built!r}"[:200],
            needed="the backbone that its checksum is of, in both places",
        )


def _check_backbone(folder: Path, about: Mapping[str, Any]) -> None:
    from fewshot.models.backbone import backbone_sha256

    found = backbone_sha256(about["backbone"])
    if found != about.get("backbone_sha256"):
        raise InputError(
            "the backbone is not the one that this task was learned on",
            where=folder,
            got=f"{about['backbone']} with weights of sha256 {found}",
            needed=f"weights of sha256 {about.get('backbone_sha256')}",
            fix="bring that backbone back, or adapt again from support.jsonl",
        )


def read_support(folder: Path) -> Labelled:
    """The examples of a task.

    Raises:
        InputError: no such file, or a line without text or label.
    """
    try:
        rows = [parse_json(line) for line in read_text(folder / SUPPORT).split("\n") if line]
        return Labelled(tuple(str(row["text"]) for row in rows), tuple(str(row["label"]) for row in rows))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "the examples of a task cannot be read", where=folder / SUPPORT, got=error
        ) from error


def _head(folder: Path, support: Labelled, width: int) -> dict[str, Tensor]:
    """The head, as far as it is one of these classes and of this width."""
    classes, texts = len(support.classes), len(support.texts)
    wanted: dict[str, Wanted] = {
        "head.weight": Wanted((classes, width)),
        "head.bias": Wanted((classes,)),
        FEATURES: Wanted((texts, width)),
        SCALE: Wanted(()),
    }
    return read_tensors(
        folder / HEAD,
        wanted,
        optional=set(wanted) - {SCALE},
        other="the head does not fit the examples",
        fix="adapt again from support.jsonl",
    )

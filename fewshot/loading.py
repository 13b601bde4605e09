"""A run directory back in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from fewshot.algorithms.algorithm import Algorithm
from fewshot.checkpoint import load_meta
from fewshot.config import Parts, build, build_learning, parse, parse_values, read_config
from fewshot.errors import InputError
from fewshot.further import check_single
from fewshot.models.learner import Learner
from fewshot.run import RunFolder
from fewshot.untrusted.code import check_code


@dataclass(frozen=True)
class LoadedRun:
    """A run with its meta-parameters.

    Args:
        folder: where it lies.
        parsed: its configuration, with what the command line changed.
        parts: what that builds; the meta-parameters are those of the run.
    """

    folder: RunFolder
    parsed: Namespace
    parts: Parts


def load_run(path: str, parser: ArgumentParser, options: Sequence[str]) -> LoadedRun:
    """Builds the parts of a run and reads its meta-parameters.

    Args:
        path: the run directory.
        parser: with the options of every part (`add_parts`).
        options: a command line that changes the run's configuration.

    Raises:
        InputError: no readable run, or options that do not fit it.
    """
    folder = RunFolder(Path(path))
    folder.check_readable()
    config = folder.path / "config.yaml"
    content = read_config(config)
    check_code(content, config)
    check_single(content, config, parse_values)
    recorded = _class_of(content, config)
    parsed = parse(parser, ["--config", str(config), *options])
    if parsed.algorithm.class_path != recorded:
        raise InputError(
            "a run adapts by the algorithm that it was trained with",
            where="--algorithm",
            got=parsed.algorithm.class_path,
            needed=recorded,
            fix="`fewshot compare RUN --algorithms NAME` adapts its meta-parameters by another one",
        )
    parts = build(parser, parsed)
    parts.algorithm.prepare(parts.model)
    load_meta(folder.path, parts.model, parts.algorithm)
    return LoadedRun(folder, parsed, parts)


def load_learning(path: Path, device: str | None = None) -> tuple[Learner, Algorithm]:
    """What a run learns tasks with; its data need not be there.

    Args:
        path: the run directory.
        device: in place of the run's own.

    Raises:
        InputError: no readable run.
    """
    RunFolder(path).check_readable()
    config = read_config(path / "config.yaml")
    check_code(config, path / "config.yaml")
    if device is not None:
        compute_of(config, path / "config.yaml")["device"] = device
    model, algorithm = build_learning(config, path / "config.yaml")
    algorithm.prepare(model)
    load_meta(path, model, algorithm)
    return model, algorithm


def compute_of(config: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """The settings `model.compute` of a configuration, made where it has none.

    Raises:
        InputError: something else stands there.
    """
    found: Any = config
    for name in ("model", "init_args", "compute"):
        found = found.setdefault(name, {}) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise InputError(
            "the model is not described as a run describes it",
            where=where,
            got=f"model: {str(config.get('model'))[:80]}",
            needed="model: {class_path: ..., init_args: {...}}",
        )
    return found


def _class_of(config: Mapping[str, Any], where: Path) -> str:
    algorithm = config["algorithm"]
    if not isinstance(algorithm, dict) or not isinstance(algorithm.get("class_path"), str):
        raise InputError(
            "the run does not name its algorithm",
            where=where,
            got=f"algorithm: {str(algorithm)[:80]}",
            needed="algorithm: {class_path: ...}",
        )
    return str(algorithm["class_path"])

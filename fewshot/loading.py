"""A run directory back in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from fewshot.algorithms.algorithm import Algorithm
from fewshot.checkpoint import load_meta
from fewshot.config import Parts, build, build_learning, parse, read_config
from fewshot.errors import InputError
from fewshot.models.learner import Learner
from fewshot.run import RunFolder


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
    recorded = read_config(config)["algorithm"]["class_path"]
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
    if device is not None:
        config["model"].setdefault("init_args", {}).setdefault("compute", {})["device"] = device
    model, algorithm = build_learning(config)
    algorithm.prepare(model)
    load_meta(path, model, algorithm)
    return model, algorithm

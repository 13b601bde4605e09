"""A run directory back in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from fewshot.checkpoint import load_meta
from fewshot.config import Parts, build, parse, read_config
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
    read_config(config)
    parsed = parse(parser, ["--config", str(config), *options])
    parts = build(parser, parsed)
    parts.algorithm.prepare(parts.model)
    load_meta(folder.path, parts.model, parts.algorithm)
    return LoadedRun(folder, parsed, parts)

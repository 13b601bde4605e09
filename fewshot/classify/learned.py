"""The run that a task is learned with: one of the user's, or the one that comes with the package."""

import functools
import threading
from dataclasses import dataclass, field
from pathlib import Path

from fewshot.algorithms.algorithm import Algorithm
from fewshot.config import read_config
from fewshot.errors import InputError
from fewshot.loading import load_learning
from fewshot.models.learner import Learner
from fewshot.tasks.families import FAMILIES

READY = "ready"  # the name of the run that comes with the package
FOLDER = Path(__file__).parents[1] / "ready"
KEPT = 2  # runs in memory, each with its backbone


@dataclass(frozen=True)
class Learned:
    """A run in memory.

    Args:
        name: its directory, or 'ready'.
        folder: where it lies.
        model: the learner with the meta-parameters.
        algorithm: how it learns a task.
        writes: whether it was trained to write answers, as far as its family is known here.
        lock: held while the model computes, since its layers read one stack at a time.
    """

    name: str
    folder: Path
    model: Learner
    algorithm: Algorithm
    writes: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)


def learned(run: str | Path | None = None, device: str | None = None) -> Learned:
    """A run, from memory where it is there already.

    Args:
        run: its directory; None or 'ready' for the one that comes with the package.
        device: in place of the run's own.

    Raises:
        InputError: no finished run there, or one that cannot classify.
    """
    name = READY if run is None else str(run)
    # a user's own run may be called so
    folder = FOLDER if run is None or (name == READY and not Path(READY).is_dir()) else Path(name)
    meta = folder / "meta.safetensors"
    return _loaded(name, folder.resolve(), device, meta.stat().st_mtime_ns if meta.is_file() else 0)


@functools.lru_cache(KEPT)
def _loaded(name: str, folder: Path, device: str | None, changed: int) -> Learned:
    """`changed` makes a run that was trained anew another one."""
    model, algorithm = load_learning(folder, device)
    if not algorithm.takes_parts and algorithm.shares_body:
        raise InputError(
            "the answers of this run depend on each other",
            where=folder,
            got=f"{type(algorithm).__name__}, which looks at all queries of a task",
            needed="a run that answers one text at a time, such as ProtoNet with then: ridge",
        )
    return Learned(name, folder, model, algorithm, _writes(folder))


def _writes(folder: Path) -> bool:
    family = read_config(folder / "config.yaml").get("family")
    name = family.get("class_path") if isinstance(family, dict) else family
    known = FAMILIES.get(str(name).rpartition(".")[-1])
    return known is not None and known.writes

"""Experiment trackers, by accelerate: TensorBoard and Weights & Biases. The only module that imports it.

Nothing is sent anywhere unless the user asks for that: Weights & Biases writes to the disk as long as
WANDB_MODE does not say 'online'.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from fewshot.errors import InputError, MissingPartError, suggestion

TRACKERS = ("tensorboard", "wandb")
PROJECT = "fewshot"
TRAIN = ("loss", "objective", "accuracy", "gradient_norm", "lr")
TEST = ("accuracy", "precision", "recall", "f1")
Values = dict[str, float]


class Trackers:
    """Hands the lines of one training to trackers; one that fails is left out from there on.

    Args:
        names: of `TRACKERS`.
        folder: the run directory; they write into `trackers/` in it.

    Raises:
        InputError: an unknown name, or no folder.
        MissingPartError: a package that is not installed.
    """

    def __init__(self, names: Sequence[str], folder: Path | None) -> None:
        for name in names:
            if name not in TRACKERS:
                fix = suggestion(name, TRACKERS)
                raise InputError(f"unknown tracker {name!r}", where="trackers", fix=fix)
            if folder is None:
                raise InputError(
                    "trackers need a run directory",
                    where=f"tracker {name}",
                    got="a training that writes nothing",
                    needed="out, the directory that they write into",
                )
            if find_spec(name) is None:
                raise MissingPartError(
                    f"the tracker {name} is not installed",
                    where="trackers",
                    fix="pip install 'fewshot[trackers]'",
                )
        self._names, self._folder = tuple(dict.fromkeys(names)), folder
        self._running: dict[str, Any] = {}
        self._say: Callable[[str], None] = lambda _: None
        self._lines = 0

    def start(self, config: str, say: Callable[[str], None]) -> None:
        """Starts them with the settings of a run.

        Args:
            config: the text of `config.yaml`.
            say: is told what the user should know.
        """
        self._say = say
        for name in self._names:
            assert self._folder
            self._try(name, lambda name=name: self._begin(name))  # type: ignore[misc]
        self._each(lambda tracker: tracker.store_init_configuration(dict(flat(yaml.safe_load(config)))))

    def line(self, line: Mapping[str, Any]) -> None:
        """A line of the log: an outer step, counted from the first one of any stage."""
        self._lines += 1
        values = grouped(line)
        self._each(lambda tracker: tracker.log(values, step=self._lines))

    def end(self, summary: Mapping[str, Any]) -> None:
        """The figures of the test side."""
        values: Values = {f"before/{name}": summary["before"][name]["mean"] for name in TEST}
        for name in TEST:
            low, high = summary[name]["ci95"]
            values |= {
                f"test/{name}": summary[name]["mean"],
                f"test/{name}_low": low,
                f"test/{name}_high": high,
            }
        self._each(lambda tracker: tracker.log(values, step=self._lines))

    def close(self) -> None:
        """Closes their files."""
        self._each(lambda tracker: tracker.finish())
        self._running = {}

    def _begin(self, name: str) -> None:
        from accelerate import PartialState
        from accelerate.tracking import TensorBoardTracker, WandBTracker

        assert self._folder
        PartialState()  # the tracker of W&B speaks through a logger that asks for it, and does not make it
        place = self._folder / "trackers"
        place.mkdir(parents=True, exist_ok=True)
        if name == "tensorboard":
            tracker: Any = TensorBoardTracker(name, str(place))
        else:
            mode = os.environ.get("WANDB_MODE", "offline")
            quiet = {"silent": True, "console": "off"}
            own = {"dir": str(place), "name": self._folder.name, "mode": mode, "settings": quiet}
            tracker = WandBTracker(PROJECT, **own)
            if mode == "offline":
                self._say(f"wandb is offline; send the run with: wandb sync {place}/wandb/offline-run-*")
        tracker.start()
        self._running[name] = tracker

    def _each(self, work: Callable[[Any], object]) -> None:
        for name, tracker in list(self._running.items()):
            self._try(name, lambda tracker=tracker: work(tracker))  # type: ignore[misc]

    def _try(self, name: str, work: Callable[[], object]) -> None:
        """Does it; whatever goes wrong is said, and that tracker left out: training is worth more."""
        try:
            work()
        except Exception as error:
            self._running.pop(name, None)
            reason = (str(error).splitlines() or [""])[0]
            self._say(f"the tracker {name} failed and is left out: {type(error).__name__}: {reason}")


def grouped(line: Mapping[str, Any]) -> Values:
    """The numbers of a line by group: train or its stage, valid, cost."""
    stage, found = line.get("stage", "train"), {}
    for name, value in line.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            if name.startswith("valid_"):
                found[f"valid/{name.removeprefix('valid_')}"] = float(value)
            else:
                group = stage if name in TRAIN or name == "step" else "cost"
                found[f"{group}/{name}"] = float(value)
    return found


def flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, str | float | bool]]:
    """Nested settings as `training.steps`: value; what is no number or truth value as text."""
    inside: Iterable[tuple[Any, Any]] = settings.items() if isinstance(settings, Mapping) else ()
    for key, value in inside:
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        else:
            yield name, value if isinstance(value, int | float | bool | str) else str(value)

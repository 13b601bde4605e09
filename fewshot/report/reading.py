"""A run as a report needs it: everything that its training and one evaluation left behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fewshot.errors import InputError, suggestion
from fewshot.metrics.generation import GENERATION
from fewshot.metrics.scores import SCORES
from fewshot.report.parsing import Row, damaged, read_json, read_lines, read_rows, read_text
from fewshot.run import RunFolder

EVALUATIONS = "evaluations"
TOLERANCE = 1e-6


@dataclass(frozen=True)
class ReportedRun:
    """One run, or one of its evaluations.

    Args:
        name: for tables.
        folder: of the evaluation: the run's own, or RUN/evaluations/NAME.
        training: the run directory.
        config: the text of `config.yaml`.
        wrote: the versions that wrote the run.
        log: a line an outer step.
        data: what was read; None where that was not recorded.
        summary: the figures over tasks; None where the evaluation is not finished.
        tasks: the rows of `tasks.csv`; none where it is not finished.
        manifest: which episodes; None where that was not recorded.
        inspection: what is inside; None where that was not recorded.
        comparison: the content of `compare.json`, where there is one.
    """

    name: str
    folder: Path
    training: Path
    config: str
    wrote: Row
    log: list[Row]
    data: Row | None
    summary: Row | None
    tasks: list[Row]
    manifest: Row | None
    inspection: Row | None
    comparison: Row | None

    @property
    def finished(self) -> bool:
        """Whether its evaluation came to its end."""
        return self.summary is not None

    @cached_property
    def figures(self) -> Row:
        """The summary of a finished one."""
        assert self.summary is not None
        return self.summary

    @property
    def step(self) -> int:
        """Outer steps in the log."""
        return max((int(line["step"]) for line in self.log if "stage" not in line), default=0)

    @property
    def written(self) -> list[str]:
        """The names of the scores of what was written; none where nothing was."""
        return [name for name in GENERATION if name in self.figures.get("generation", {})]

    def values(self, name: str) -> list[float]:
        """A column of the tasks."""
        return [row[name] for row in self.tasks]


def read_runs(paths: Sequence[str]) -> list[ReportedRun]:
    """Reads run directories and evaluations, in their order.

    Raises:
        InputError: no run, a damaged file, no test tasks, the same one twice.
    """
    folders = [Path(path).resolve() for path in paths]
    if len(set(folders)) < len(folders):
        raise InputError("a run is named twice", got=", ".join(paths), needed="each run once")
    names = [_name(folder) for folder in folders]
    apart = names if len(set(names)) == len(names) else paths
    return [_read(folder, name) for folder, name in zip(folders, apart, strict=True)]


def _name(folder: Path) -> str:
    return f"{_training(folder).name}/{folder.name}" if _is_evaluation(folder) else folder.name


def _is_evaluation(folder: Path) -> bool:
    return folder.parent.name == EVALUATIONS and (folder.parent.parent / "run.json").is_file()


def _training(folder: Path) -> Path:
    return folder.parent.parent if _is_evaluation(folder) else folder


def _read(folder: Path, name: str) -> ReportedRun:
    training = _training(folder)
    RunFolder(training).check_is_run()
    if not folder.is_dir():
        raise InputError(
            "there is no such evaluation",
            where=folder,
            needed="a folder in evaluations/ of the run",
            fix=suggestion(folder.name, [each.name for each in folder.parent.glob("*")]),
        )
    finished = (folder / "summary.json").is_file()
    read = _read_finished(folder) if finished else (None, [], None, None)
    summary, tasks, manifest, inspection = read
    return ReportedRun(
        name=name,
        folder=folder,
        training=training,
        config=read_text((folder if (folder / "config.yaml").is_file() else training) / "config.yaml"),
        wrote=read_json(training / "run.json", ["versions"])["versions"],
        log=read_lines(training / "log.jsonl", (training / "meta.safetensors").is_file()),
        data=_read_if_there(training / "data.json"),
        summary=summary,
        tasks=tasks,
        manifest=manifest,
        inspection=inspection,
        comparison=_read_if_there(folder / "compare.json", ["methods", "reference", "episodes", "seed"]),
    )


def _read_if_there(file: Path, keys: Sequence[str] = ()) -> Row | None:
    return read_json(file, keys) if file.is_file() else None


def _read_finished(folder: Path) -> tuple[Row, list[Row], Row | None, Row | None]:
    """Summary, tasks, manifest and inspection of a finished evaluation."""
    file = folder / "summary.json"
    summary = read_json(file, ["episodes", "seed", "before", "seconds", *SCORES])
    numbers = ["task", "way", "shot", *SCORES, "loss", "accuracy_before", "seconds", *_written(file, summary)]
    tasks = read_rows(folder / "tasks.csv", numbers, ["source", "classes"])
    _check(folder, summary, tasks)
    manifest = _read_if_there(folder / "manifest.json", ["side", "seed", "sources", "episodes"])
    inside = _read_if_there(folder / "inspection.json", ["movement", "similarity", "rates", "tasks"])
    return summary, tasks, manifest, inside


def _written(file: Path, summary: Row) -> list[str]:
    """The scores of what was written that the summary has, and so the tasks; none where nothing was."""
    found = summary.get("generation", {})
    if not isinstance(found, dict):
        damaged(file, "generation", f"a {type(found).__name__}", "an object")
    return [name for name in GENERATION if name in found]


def _mean(file: Path, summary: Row, name: str) -> float:
    """The mean of a score whose statistics are all there."""
    try:
        found, before = summary[name], summary["before"][name]
        low, high = found["ci95"]
        wanted = [found["mean"], low, high, found["std"], found["worst_decile"], before["mean"]]
        if not all(isinstance(value, int | float) for value in wanted):
            raise TypeError(name)
        return float(found["mean"])
    except (KeyError, TypeError, ValueError):
        needed = "mean, std, ci95 and worst_decile as numbers, and its mean before adaptation"
        damaged(file, f"score {name}", "statistics that are missing or are no numbers", needed)


def _check(folder: Path, summary: Row, tasks: list[Row]) -> None:
    """The rows and the summary say the same."""
    if not tasks or not summary["episodes"]:
        raise InputError(
            "the evaluation has no test tasks",
            where=folder / ("summary.json" if tasks else "tasks.csv"),
            got="0 episodes" if tasks else "no row below the names of its columns",
            needed="at least one test episode",
            fix="evaluate the run: `fewshot evaluate RUN --episodes 600`",
        )
    means = {name: _mean(folder / "summary.json", summary, name) for name in SCORES}
    theirs = {name: float(np.mean([row[name] for row in tasks])) for name in SCORES}
    wrong = [name for name in SCORES if not abs(means[name] - theirs[name]) <= TOLERANCE]
    if len(tasks) != summary["episodes"] or wrong:
        got = (
            f"{wrong[0]} {means[wrong[0]]:.6f} against {theirs[wrong[0]]:.6f} over the rows"
            if wrong
            else f"{summary['episodes']} episodes against {len(tasks)} rows"
        )
        damaged(folder / "summary.json", "beside tasks.csv", got, "figures that follow from the rows")

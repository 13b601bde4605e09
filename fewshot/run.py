"""The run directory: what training leaves behind, file by file."""

import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from fewshot.algorithms.algorithm import Algorithm
from fewshot.checkpoint import save_meta, save_tensors
from fewshot.errors import InputError, Whole
from fewshot.evaluation import Evaluation, TaskResult
from fewshot.files import append_line, whole, write_csv, write_json, write_text
from fewshot.models.learner import Learner
from fewshot.results import class_rows, curve_rows, joined_answers, output_rows, summarise, task_rows
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.manifest import manifest
from fewshot.untrusted.values import SMALL, read_json
from fewshot.versions import SCHEMA, versions


@dataclass(frozen=True)
class Run:
    """What `Trainer.fit` gives back.

    Args:
        model: the learner with the meta-parameters that were kept.
        algorithm: likewise.
        results: the test tasks.
        summary: the content of `summary.json`.
        folder: the run directory, None where nothing was written.
    """

    model: Learner
    algorithm: Algorithm
    results: list[TaskResult]
    summary: dict[str, Any]
    folder: Path | None


def check_free(path: Path) -> None:
    """Refuses to write where something stands.

    Raises:
        InputError: `path` exists.
    """
    if path.exists():
        raise InputError(
            "the output exists already",
            where=path,
            needed="a name that is free",
            fix=Whole(
                "choose another name, or add --overwrite to replace it"
                + (f"; or go on with it: {resuming(path)}" if is_unfinished(path) else "")
            ),
        )


def resuming(path: Path) -> str:
    """The command that goes on with a training, for a shell."""
    return shlex.join(["fewshot", "train", "--resume", str(path)])


def is_unfinished(path: Path) -> bool:
    """Whether a training was begun there that did not come to its end."""
    return (path / "run.json").is_file() and not (path / "summary.json").is_file()


def settings_alone(parts: Sequence[object], groups: Mapping[str, Mapping[str, Any]]) -> str:
    """The `config.yaml` of a run started from Python: of its parts, which are objects, the classes alone."""
    names = ", ".join(type(part).__name__ for part in parts)
    return f"# started from Python with {names}\n" + yaml.safe_dump(dict(groups), sort_keys=False)


@dataclass(frozen=True)
class RunFolder:
    """A run directory.

    Args:
        path: where it is, or will be.
    """

    path: Path

    def create(self, config: str, data: dict[str, Any] | None) -> None:
        """Makes the directory, whole: `run.json` (who wrote it), `config.yaml`, `data.json` (what was read).

        Raises:
            InputError: something of that name exists.
        """
        check_free(self.path)
        with whole(self.path) as folder:
            write_json(folder / "run.json", {"schema": SCHEMA, "versions": versions()})
            write_text(folder / "config.yaml", config)
            if data:
                write_json(folder / "data.json", data)

    def log(self, line: dict[str, Any]) -> None:
        """Adds a line to `log.jsonl`."""
        append_line(self.path / "log.jsonl", json.dumps(line))

    def write_meta(self, model: Learner, algorithm: Algorithm) -> None:
        """Writes the meta-parameters: `adapter/` and `meta.safetensors`."""
        save_meta(self.path, model, algorithm)

    @staticmethod
    def summary(
        results: Sequence[TaskResult],
        settings: Evaluation,
        model: Learner,
        algorithm: Algorithm,
        seconds: float,
        baseline: float | None = None,
    ) -> dict[str, Any]:
        """The content of `summary.json`; `baseline` is what its score is measured in."""
        order = getattr(algorithm, "order", None)  # baselines have none
        drawn = {"seed": settings.seed, "repeats": settings.repeats}
        head = {"schema": SCHEMA} | drawn | {"order": order, "seconds": seconds, "ran": model.note()}
        return head | summarise(results, baseline, settings.seed, settings.repeats) | {"versions": versions()}

    @staticmethod
    def write_results(
        folder: Path,
        results: Sequence[TaskResult],
        summary: dict[str, Any],
        family: TaskFamily,
        inspection: dict[str, Any] | None,
        card: str | None = None,
    ) -> None:
        """Writes the files of an evaluation into the run or into a folder of its own.

        Args:
            folder: where they go.
            results: the test tasks.
            summary: the content of `summary.json`.
            family: what they were drawn from.
            inspection: the content of `inspection.json`; None for none.
            card: the content of `README.md`, which a run has and a later evaluation of it has not.
        """
        write_csv(folder / "tasks.csv", task_rows(results))
        write_csv(folder / "curve.csv", curve_rows(results))
        if outputs := output_rows(results):
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in outputs)
            write_text(folder / "outputs.jsonl", lines)
        else:
            write_csv(folder / "classes.csv", class_rows(results))
        arrays = joined_answers(results).arrays()
        save_tensors(folder / "answers.safetensors", {n: torch.from_numpy(a) for n, a in arrays.items()})
        if inspection is not None:
            write_json(folder / "inspection.json", inspection)
        drawn = [result.episode for result in results]
        content = manifest(family, "test", summary["seed"], drawn, summary["repeats"])
        write_text(folder / "manifest.json", json.dumps(content) + "\n")
        if card is not None:
            write_text(folder / "README.md", card)
        write_json(folder / "summary.json", summary)  # the last: an evaluation without it is not finished

    def remove(self) -> None:
        """Removes a run, and nothing that is none.

        Raises:
            InputError: a file, or a folder that no run wrote.
        """
        if not (self.path / "run.json").is_file():
            raise InputError(
                "only a run is replaced",
                where=self.path,
                got="a folder without run.json" if self.path.is_dir() else "a file",
                needed="a run directory of an earlier training, or a name that is free",
            )
        shutil.rmtree(self.path)

    def check_readable(self) -> None:
        """Refuses what is no finished run of a version that this one can read.

        Raises:
            InputError: no run there, an unfinished one, or one of another schema.
        """
        self.check_is_run()
        if not (self.path / "meta.safetensors").is_file():
            raise InputError(
                "the run is not finished", where=self.path, needed="a run whose training came to its end"
            )

    def check_is_run(self) -> None:
        """Refuses what is no run, finished or not, of a version that this one can read.

        Raises:
            InputError: no run there, or one of another schema.
        """
        try:
            schema = read_json(self.path / "run.json", SMALL)["schema"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "this is no run directory",
                where=self.path,
                got="a folder without a readable run.json" if self.path.is_dir() else "no such folder",
                needed="what `fewshot train --out` writes",
            ) from error
        if schema != SCHEMA:
            raise InputError(
                "the run was written by another version",
                where=self.path,
                got=f"schema {schema}",
                needed=f"schema {SCHEMA}",
                fix="evaluate it with the version that run.json names",
            )

"""The run directory: what training leaves behind, file by file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewshot.algorithms.algorithm import Algorithm
from fewshot.checkpoint import save_meta
from fewshot.errors import FewshotError, InputError
from fewshot.evaluation import TaskResult, summarise
from fewshot.files import write_csv, write_json, write_text
from fewshot.models.learner import Learner
from fewshot.versions import SCHEMA, versions


@dataclass(frozen=True)
class RunFolder:
    """A run directory.

    Args:
        path: where it is, or will be.
    """

    path: Path

    def create(self, config: str) -> None:
        """Makes the directory with `run.json` (who wrote it) and `config.yaml`."""
        write_json(self.path / "run.json", {"schema": SCHEMA, "versions": versions()})
        write_text(self.path / "config.yaml", config)

    def log(self, line: dict[str, Any]) -> None:
        """Adds a line to `log.jsonl`."""
        path = self.path / "log.jsonl"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise FewshotError("the log could not be written", where=path, got=error.strerror) from error

    def write_meta(self, model: Learner, algorithm: Algorithm) -> None:
        """Writes the meta-parameters: `adapter/` and `meta.safetensors`."""
        save_meta(self.path, model, algorithm)

    @staticmethod
    def summary(
        results: Sequence[TaskResult], seed: int, order: int | None, seconds: float
    ) -> dict[str, Any]:
        """The content of `summary.json`."""
        head = {"schema": SCHEMA, "seed": seed, "order": order, "seconds": seconds}
        return head | summarise(results) | {"versions": versions()}

    @staticmethod
    def write_results(folder: Path, results: Sequence[TaskResult], summary: dict[str, Any]) -> None:
        """Writes `tasks.csv` and `summary.json` into the run or one of its evaluations."""
        write_csv(folder / "tasks.csv", [result.row() for result in results])
        write_json(folder / "summary.json", summary)

    def check_readable(self) -> None:
        """Refuses what is no finished run of a version that this one can read.

        Raises:
            InputError: no run there, an unfinished one, or one of another schema.
        """
        try:
            schema = json.loads((self.path / "run.json").read_text(encoding="utf-8"))["schema"]
        except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
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
        if not (self.path / "meta.safetensors").is_file():
            raise InputError(
                "the run is not finished", where=self.path, needed="a run whose training came to its end"
            )

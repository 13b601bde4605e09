"""The lines of a training: in the run directory, and the objective that they end with."""

from typing import Any

from fewshot.run import RunFolder

META = "meta-training"  # a stage of the training, where a line names none
LAST = 10  # steps that an objective is the mean of


class Log:
    """Takes a line of every outer step.

    Args:
        folder: where `log.jsonl` is; None where nothing is written.
    """

    def __init__(self, folder: RunFolder | None) -> None:
        self._folder = folder
        self._objectives: dict[str, list[float]] = {}  # by stage

    def add(self, line: dict[str, Any]) -> None:
        """A line; skipped steps and those of one class have no objective."""
        values = self._objectives.setdefault(line.get("stage", META), [])
        values += [line["objective"]] if "objective" in line else []
        if self._folder:
            self._folder.log(line)

    def objective(self) -> dict[str, float]:
        """J(theta) of each stage, the mean of its last steps; see `fewshot.score`."""
        ends = {stage: values[-LAST:] for stage, values in self._objectives.items()}
        return {stage: sum(values) / len(values) for stage, values in ends.items() if values}

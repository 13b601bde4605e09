"""What language models are compared on: tasks of form, of knowledge, and classes asked by their names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from benchmarks.causal.scan import scan
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.inflections import Inflections
from fewshot.tasks.nway import NWayKShot
from fewshot.tasks.records import Records
from fewshot.tasks.strings import StringTasks

SHOT, QUERIES = 8, 8
Kind = Literal["form", "knowledge", "classes"]


@dataclass(frozen=True)
class Problem:
    """A family whose test side has other tasks than its training side.

    Args:
        kind: what a task asks for.
        about: for the table, and what tells cells apart: with other shots it reads otherwise.
        family: makes it; data sets are looked for in the folder FEWSHOT_DATA.
        most: tokens of an answer, which are bytes where the small model writes it; of longer right answers as
            many as those have.
        training: in what the outer loop differs, by the names of `Training`.
        inner_lr: where the learned rates of MAMLAdam begin.
        test_steps: inner steps of MAMLAdam at the test, where more than in training are better on the side
            for validation; else as many.
    """

    kind: Kind
    about: str
    family: Callable[[], TaskFamily]
    most: int = 64
    training: Mapping[str, Any] = field(default_factory=dict)
    inner_lr: float = 0.003
    test_steps: int | None = None


def _records(name: str, kinds: list[str] | None = None) -> Callable[[], TaskFamily]:
    reading = Reading(only={"family": kinds}) if kinds else Reading()
    return lambda: Records(name, SHOT, QUERIES, reading=reading)


def _intents(shot: int) -> TaskFamily:
    return NWayKShot("banking77", way=5, shot=shot, queries=shot, split=ClassSplit(fold="01"))


# What tasks share is learned soonest from all of them together; as high a rate afterwards would undo it.
TOGETHER = {"multitask_steps": 500, "multitask_lr": 3e-3, "lr": 1e-4}
SHARED = "held-out splits of SCAN, which share one mapping; a letter an action"
PROBLEMS: Mapping[str, Problem] = {
    "strings": Problem("form", "held-out pairs of order and form", lambda: StringTasks(SHOT, QUERIES)),
    "inflection": Problem("form", "held-out languages, all forms mixed", _records("gen_inflection")),
    "one-form": Problem(
        "form",
        "held-out languages, one form a task",
        partial(Inflections, shot=SHOT, queries=4),
        test_steps=10,
    ),
    "extractive": Problem(
        "form", "held-out ways to pick a word", _records("gen_function_vectors", ["extractive"])
    ),
    "scan": Problem("form", SHARED, lambda: scan(SHOT, QUERIES), training=TOGETHER, inner_lr=1e-4),
    "relations": Problem("knowledge", "held-out relations", _records("gen_relations", ["factual"])),
    "abstractive": Problem(
        "knowledge", "held-out mappings of words", _records("gen_function_vectors", ["abstractive"])
    ),
    "banking77": Problem("classes", "held-out intents, 5-way 5-shot", partial(_intents, 5)),
}
FEW_SHOTS = "held-out intents, 5-way 2-shot"  # prompts of 25 examples take two cores minutes an outer step
QUICK: Mapping[str, Problem] = {
    "strings": PROBLEMS["strings"],
    "banking77": replace(PROBLEMS["banking77"], about=FEW_SHOTS, family=partial(_intents, 2)),
}


def problem_of(name: str, quick: bool) -> Problem:
    """A problem by its name, smaller in a quick run."""
    return QUICK.get(name, PROBLEMS[name]) if quick else PROBLEMS[name]

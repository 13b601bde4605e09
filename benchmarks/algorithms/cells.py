"""One cell: a member on a problem, trained, tested, written down."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.algorithms.members import MEMBERS, TRAINED
from benchmarks.algorithms.problems import WAY, Problem
from benchmarks.machine import machine, provenance
from fewshot.algorithms.algorithm import Algorithm
from fewshot.comparison import Contestant
from fewshot.errors import FewshotError
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.metrics.scores import SCORES
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import Learner
from fewshot.results import summarise
from fewshot.tasks.family import TaskFamily
from fewshot.training import Trainer

SEED = 0


@dataclass(frozen=True)
class Effort:
    """How much is spent on a cell.

    Args:
        quick: said in the result; such a result enters no table.
        episodes: of the test side.
        steps: outer steps; None for those of the problem.
    """

    quick: bool
    episodes: int
    steps: int | None


FULL, QUICK = Effort(False, 150, None), Effort(True, 40, 20)


def path_of(folder: Path, problem: Problem, member: str) -> Path:
    """Where the result of a cell lies."""
    return folder / f"{problem.name}-{member.lower().replace(', ', '-').replace(' ', '-')}.json"


def run_cell(
    problem: Problem,
    member: str,
    effort: Effort,
    compute: Compute,
    command: str,
    states: LoraEncoder | None = None,
) -> dict[str, Any]:
    """Trains a member where it is trained, and adapts it to the test episodes.

    A member that fails is a result too: its error stands in the place of the scores. Where the frozen
    states of texts are kept by another model, its seconds are not a member's own.
    """
    model, algorithm, family = problem.model(compute), MEMBERS[member](), problem.family()
    if states is not None:
        model.share_states(states)
    started = time.perf_counter()
    steps, scored = 0, dict[str, Any]()
    try:
        if member in TRAINED:
            steps = _train(problem, family, model, algorithm, effort)
        else:
            algorithm.prepare(model)
        trained = time.perf_counter()
        settings = Evaluation(effort.episodes, SEED, curve=False)
        scored = _scores(evaluate(family, model, algorithm, settings, title=f"{problem.name}, {member}:"))
    except FewshotError as error:
        trained, scored = time.perf_counter(), {"error": str(error)}
    return {
        "schema": 1,
        "quick": effort.quick,
        "data": problem.data,
        "way": WAY,
        "shot": problem.shot,
        "member": member,
        "trained": member in TRAINED,
        "episodes": effort.episodes,
        "seed": SEED,
        **scored,
        "trainable_parameters": Contestant(member, model, algorithm).trainable_parameters,
        "outer_steps": steps,
        "training_seconds": trained - started if steps else 0.0,
        "lora": asdict(problem.lora),
        "ran": model.note(),
        "command": command,
        **provenance(),
        "machine": machine(model.device),
    }


def _train(problem: Problem, family: TaskFamily, model: Learner, algorithm: Algorithm, effort: Effort) -> int:
    """The outer loop; its own test is one episode, since the cell's is timed apart. Returns its steps."""
    training = replace(problem.training, steps=effort.steps or problem.training.steps, seed=SEED)
    Trainer(family, model, algorithm, training, problem.validation, Evaluation(episodes=1)).fit()
    return training.steps


def _scores(results: Sequence[TaskResult]) -> dict[str, Any]:
    """Statistics over the tasks, and the accuracy of every task, for paired differences."""
    summary = summarise(results)
    return {
        **{name: summary[name] for name in SCORES},
        "before": {name: summary["before"][name]["mean"] for name in SCORES},
        "seconds_per_task": sum(result.seconds for result in results) / len(results),
        "accuracies": [round(result.after.accuracy, 6) for result in results],
    }

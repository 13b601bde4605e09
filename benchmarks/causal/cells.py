"""One cell: a method on a problem, trained where it is trained, tested, written down."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.causal.methods import LENGTH, LORA, METHODS, PROMPT, learner
from benchmarks.causal.problems import Problem, problem_of
from benchmarks.causal.recipe import about_model
from benchmarks.cells import is_done
from benchmarks.machine import machine, provenance
from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.models.compute import Compute
from fewshot.outer import Training, Validation
from fewshot.results import summarise
from fewshot.training import Trainer

SEED = 0
TRAINING = Training(steps=200, meta_batch=4, lr=1e-3, seed=SEED)
VALIDATION = Validation(every=50, episodes=40)


@dataclass(frozen=True)
class Effort:
    """How much is spent on a cell.

    Args:
        quick: said in the result; such a result enters no table.
        episodes: of the test side.
        steps: outer steps.
        validation: when what is kept is chosen.
    """

    quick: bool
    episodes: int
    steps: int
    validation: Validation


FULL = Effort(False, 100, TRAINING.steps, VALIDATION)
QUICK = Effort(True, 10, 5, Validation(every=0))


def path_of(folder: Path, problem: str, method: str) -> Path:
    """Where the result of a cell lies."""
    return folder / f"{problem}-{method}.json"


def is_there(folder: Path, problem: str, method: str, backbone: str, effort: Effort) -> bool:
    """Whether the result of a cell is there, of the same effort on the same language model."""
    path = path_of(folder, problem, method)
    if not is_done(path, effort.quick, effort.episodes):
        return False
    found = json.loads(path.read_text(encoding="utf-8"))
    same: bool = (found["backbone"], found.get("asked")) == (
        about_backbone(Path(backbone)),
        asked(problem, effort),
    )
    about = problem_of(problem, effort.quick)
    training = dict(about.training)
    trained = (found["outer_steps"], found.get("training", {}))
    adapted = found.get("test_steps") == test_steps(METHODS[method].algorithm(about), about)
    return same and adapted and trained in ((0, {}), (effort.steps, training))


def test_steps(algorithm: Algorithm, about: Problem) -> int | None:
    """Inner steps at the test; None for as many as in training."""
    return about.test_steps if isinstance(algorithm, MAMLAdam) else None


def asked(problem: str, effort: Effort) -> dict[str, Any]:
    """How a problem is asked; a cell of other tasks, prompts or limits is another cell."""
    about = problem_of(problem, effort.quick)
    limits = {"max_length": LENGTH, "max_new_tokens": about.most}
    return {"tasks": about.about, "template": PROMPT.template} | limits


def run_cell(
    problem: str, method: str, backbone: str, effort: Effort, compute: Compute, command: str
) -> dict[str, Any]:
    """Trains a method where it is trained, and adapts it to the test episodes.

    Args:
        problem: by name.
        method: by name.
        backbone: the language model.
        effort: how much is spent.
        compute: where and in what.
        command: what repeats it.
    """
    about, how = problem_of(problem, effort.quick), METHODS[method]
    model, algorithm, family = learner(how, about, backbone, compute), how.algorithm(about), about.family()
    started, kept = time.perf_counter(), None
    if algorithm.trainable:
        training = replace(TRAINING, steps=effort.steps, **about.training)
        title = f"{problem}, {method}"
        trainer = Trainer(
            family, model, algorithm, training, effort.validation, Evaluation(episodes=1), title=title
        )
        kept = trainer.train()
    else:
        algorithm.prepare(model)
    trained, steps = time.perf_counter(), test_steps(algorithm, about)
    if steps is not None and isinstance(algorithm, MAMLAdam):
        algorithm.inner_steps = steps
    settings = Evaluation(effort.episodes, SEED, curve=False)
    results = evaluate(family, model, algorithm, settings, title=f"{problem}, {method}: test")
    return {
        "schema": 1,
        "quick": effort.quick,
        "problem": problem,
        "kind": about.kind,
        "method": method,
        "about": how.about,
        "episodes": effort.episodes,
        "seed": SEED,
        **_scores(results),
        "outer_steps": effort.steps if algorithm.trainable else 0,
        "training": dict(about.training) if algorithm.trainable else {},
        "test_steps": steps,
        "kept_step": kept.step if kept else None,
        "validation_accuracy": kept.accuracy if kept else None,
        "training_seconds": trained - started if algorithm.trainable else 0.0,
        "asked": asked(problem, effort),
        "lora": asdict(LORA),
        "backbone": about_backbone(Path(backbone)),
        "ran": model.note(),
        "command": command,
        **provenance(),
        "machine": machine(model.device),
    }


def about_backbone(folder: Path) -> dict[str, Any]:
    """What the files of a model that was pretrained here and of its start say; else its name."""
    found = about_model(folder)
    names = ("recipe", "parameters", "tokens", "held_out_loss", "sources", "commit")
    about = {name: found[name] for name in names if name in found}
    if "start" in found:
        about["start"] = {name: found["start"][name] for name in names if name in found["start"]}
    return {"name": folder.name} | about


def _scores(results: Sequence[TaskResult]) -> dict[str, Any]:
    """Statistics over the tasks, and the accuracy of every task, for paired differences."""
    summary = summarise(results)
    return {
        **{name: summary[name] for name in ("accuracy", "recall", "f1")},
        "generation": summary.get("generation"),
        "prompts": summary.get("prompts"),
        "answer_loss": summary["loss"],
        "before": summary["before"]["accuracy"]["mean"],
        "seconds_per_task": sum(result.seconds for result in results) / len(results),
        "accuracies": [round(result.after.accuracy, 6) for result in results],
    }

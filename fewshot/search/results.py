"""What a search leaves behind: `trials.csv`, `best.yaml`, `default.yaml`, `search.json` and plots."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fewshot.files import write_csv, write_json, write_text
from fewshot.search.outcome import Outcome, pareto, tied
from fewshot.search.plan import Plan
from fewshot.search.slots import TRIES
from fewshot.search.verdict import best_trial, default_trial, done, outcome_of, reaches, trials_of
from fewshot.versions import SCHEMA, versions

WORDS = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def rows(study: optuna.Study, plan: Plan) -> list[dict[str, Any]]:
    """The lines of `trials.csv`."""
    trials = trials_of(study)
    outcomes = {trial.user_attrs["slot"]: outcome_of(trial) for trial in trials if done(trial)}
    best, front = best_trial(study, plan.settings.goal()), pareto(outcomes)
    found = []
    for trial in trials:
        slot = trial.user_attrs["slot"]
        outcome = outcomes.get(slot)
        row: dict[str, Any] = {"trial": slot, "state": WORDS[trial.state], "default": slot == 0}
        row |= _marks(slot, outcome, best, slot in front)
        row |= _figures(outcome) if outcome else {}
        row |= {"why": why(trial)}
        found.append(row | trial.params)
    columns = dict.fromkeys(name for row in found for name in row)
    names = [parameter.name for parameter in plan.space.parameters]
    ordered = [name for name in columns if name not in names] + [name for name in names if name in columns]
    return [{name: row.get(name) for name in ordered} for row in found]


def why(trial: FrozenTrial) -> str:
    """Why a trial did not come to its end; empty where it did, or was pruned."""
    if trial.user_attrs.get("died") and trial.state == TrialState.FAIL:
        return f"its worker died {TRIES} times"
    said: str = trial.user_attrs.get("stopped") or trial.user_attrs.get("error") or ""
    return said


def _marks(slot: int, outcome: Outcome | None, best: FrozenTrial | None, on_front: bool) -> dict[str, Any]:
    if outcome is None or best is None:
        return {"best": False, "tied": False, "pareto": False}
    same = slot == best.user_attrs["slot"]
    return {"best": same, "tied": tied(outcome, outcome_of(best)), "pareto": on_front}


def _figures(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {"step": outcome.step}
    for metric in ("score", "accuracy", "precision", "recall", "f1", "loss"):
        mean, low, high = outcome.interval(metric)
        found |= {metric: mean, f"{metric}_low": low, f"{metric}_high": high}
    found |= {f"objective, {stage}": value for stage, value in outcome.objective.items()}
    return found | {
        "seconds": outcome.seconds,
        "seconds_per_task": outcome.seconds_per_task,
        "bytes": outcome.bytes,
    }


def importance(study: optuna.Study, plan: Plan) -> dict[str, float]:
    """How much of the score's variance each parameter explains, by Optuna's fANOVA; empty where unknown.

    Hutter, Hoos, Leyton-Brown: An Efficient Approach for Assessing Hyperparameter Importance, 2014. Of the
    parameters that every trial has; from the trials that came to their end.
    """
    names = [parameter.name for parameter in plan.space.parameters if parameter.when is None]
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0), params=names
        )
    except (ValueError, RuntimeError):  # too few trials, or all with the same score
        return {}
    return {name: float(value) for name, value in found.items()}


def content(
    study: optuna.Study, plan: Plan, ended: str | None, test: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The content of `search.json`.

    Args:
        study: with the trials.
        plan: what was searched.
        ended: why the search ended; None while it goes on.
        test: what the test side said, once it was drawn from.
    """
    target, first = plan.settings.goal(), default_trial(study)
    best = best_trial(study, target)
    lines = rows(study, plan)
    states = [line["state"] for line in lines]
    return {
        "schema": SCHEMA,
        "identity": study.user_attrs["identity"],
        "settings": asdict(plan.settings),
        "ended": ended,
        "trials": {state: states.count(state) for state in sorted(set(states))},
        "target": target
        and {"wanted": str(target), "reached": best is not None and reaches(outcome_of(best), target)},
        "best": best and _summary(best),
        "default": first and _summary(first),
        "tied_with_best": [line["trial"] for line in lines if line["tied"] and not line["best"]],
        "pareto": [line["trial"] for line in lines if line["pareto"]],
        "importance": importance(study, plan),
        "test": test,
        "versions": versions(),
    }


def _summary(trial: FrozenTrial) -> dict[str, Any]:
    outcome = outcome_of(trial)
    return {"trial": trial.user_attrs["slot"], "parameters": trial.params} | _figures(outcome)


def write(
    folder: Path, study: optuna.Study, plan: Plan, ended: str | None, test: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Writes all files but the plots, each whole at every moment; returns the content of `search.json`."""
    lines = rows(study, plan)
    if lines:
        write_csv(folder / "trials.csv", lines)
    best, first = best_trial(study, plan.settings.goal()), default_trial(study)
    for name, trial in (("best", best), ("default", first)):
        if trial is not None:
            write_text(folder / f"{name}.yaml", outcome_of(trial).config)
    found = content(study, plan, ended, test)
    write_json(folder / "search.json", found)
    return found

"""What the trials of a study say: which is the best, whether it is good enough, whether that is all."""

import time
from itertools import pairwise

import optuna
from optuna.trial import FrozenTrial, TrialState

from fewshot.search.outcome import Outcome
from fewshot.search.plan import Plan
from fewshot.search.settings import Target
from fewshot.search.slots import fills, lost_slots

ALIKE = 5  # trials in a row that fail with the same words: then it is not their settings


def trials_of(study: optuna.Study) -> list[FrozenTrial]:
    """The trial of every slot, in their order."""
    filled: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if fills(trial) and trial.state != TrialState.WAITING:
            filled.setdefault(trial.user_attrs["slot"], trial)
    filled |= {slot: trial for slot, trial in lost_slots(study).items() if slot not in filled}
    return [filled[slot] for slot in sorted(filled)]


def done(trial: FrozenTrial) -> bool:
    """Whether a trial came to its end."""
    return trial.state == TrialState.COMPLETE


def outcome_of(trial: FrozenTrial) -> Outcome:
    """What a trial that is done found."""
    return Outcome(**trial.user_attrs["outcome"])


def default_trial(study: optuna.Study) -> FrozenTrial | None:
    """The trial of the default configuration, once it is done."""
    return next((t for t in trials_of(study) if done(t) and t.user_attrs["slot"] == 0), None)


def best_trial(study: optuna.Study, target: Target | None) -> FrozenTrial | None:
    """The trial with the lowest score, of those that reach the target if any does; the first of equals.

    Once the search has ended, the one that was the best then.
    """
    trials = [trial for trial in trials_of(study) if done(trial)]
    ended = study.user_attrs.get("ended")
    if ended:
        return next(trial for trial in trials if trial.user_attrs["slot"] == ended["best"])
    good = [trial for trial in trials if target and reaches(outcome_of(trial), target)]
    return min(good or trials, key=lambda trial: trial.value or 0.0, default=None)


def reaches(outcome: Outcome, target: Target) -> bool:
    """Whether the 95% interval over the validation tasks lies on the good side of the target."""
    _, low, high = outcome.interval(target.metric)
    return target.holds(low, high)


def reached(study: optuna.Study, plan: Plan) -> bool:
    """Whether a trial is good enough, and the default one is over, which it is compared with."""
    target = plan.settings.goal()
    trials = trials_of(study)
    first_is_over = bool(trials) and trials[0].user_attrs["slot"] == 0 and trials[0].state.is_finished()
    best = best_trial(study, target)
    return target is not None and best is not None and first_is_over and reaches(outcome_of(best), target)


def fatal(study: optuna.Study) -> str | None:
    """What is wrong with the default configuration, if anything is."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return next((trial.user_attrs["error"] for trial in trials if trial.user_attrs.get("fatal")), None)


def hopeless(study: optuna.Study) -> str | None:
    """With what words the last trials have failed, all with the same; None where they have not."""
    over = sorted(
        (trial for trial in trials_of(study) if trial.state.is_finished()),
        key=lambda trial: trial.datetime_complete.timestamp() if trial.datetime_complete else 0.0,
    )
    errors = [trial.user_attrs.get("error") for trial in over[-ALIKE:]]
    same = len(errors) == ALIKE and all(one == other for one, other in pairwise(errors))
    return errors[0] if same else None


def is_late(study: optuna.Study, plan: Plan) -> bool:
    """Whether the budget has no time left but that of the final trainings with their tests."""
    deadline = study.user_attrs.get("deadline")
    if deadline is None:
        return False
    episodes = plan.base.get("evaluation", {}).get("episodes", 0)
    outcomes = [outcome_of(trial) for trial in trials_of(study) if done(trial)]
    longest = max((each.seconds + episodes * each.seconds_per_task for each in outcomes), default=0.0)
    return time.time() + longest * plan.settings.final_rounds() >= float(deadline)


def is_over(study: optuna.Study, plan: Plan) -> bool:
    """Whether no trial should be begun any more."""
    if "ended" in study.user_attrs or fatal(study) is not None or hopeless(study) is not None:
        return True
    return reached(study, plan) or is_late(study, plan)

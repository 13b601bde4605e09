"""A worker: takes one trial after another until the search is over."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from fewshot.errors import FewshotError, InputError
from fewshot.search.alive import Pulse, here
from fewshot.search.outcome import Outcome
from fewshot.search.settings import Search, Target
from fewshot.search.slots import Slots, tell
from fewshot.search.space import Space
from fewshot.search.study import make_sampler
from fewshot.search.trial import run_trial

WAIT = 0.5  # seconds between two looks, where others work on the last trials


@dataclass(frozen=True)
class Plan:
    """What is searched.

    Args:
        base: the default configuration, in the form of `config.yaml`.
        space: what varies.
        settings: how, and until when.
    """

    base: Mapping[str, Any]
    space: Space
    settings: Search
    points: tuple[Mapping[str, Any], ...] = field(default=())  # of a grid, by slot after the first

    @property
    def count(self) -> int | None:
        """Trials, the default among them; None where the target or the budget ends the search."""
        return 1 + len(self.points) if self.points else self.settings.most_trials()

    def fixed(self, slot: int) -> Mapping[str, Any]:
        """The values of a slot that are not drawn: the default configuration's, or a point of the grid."""
        if slot == 0:
            return self.space.default(self.base) or {}
        return self.points[slot - 1] if self.points else {}


class Worker:
    """Works on the trials of a study.

    Args:
        study: shared with other workers.
        plan: what is searched.
        deadline: gives the time (of `time.monotonic`) at which the budget is spent, infinite without one.
        say: is told of every finished trial.
        title: of the progress of a trial, with `{}` for its number; no bar where it is empty.
    """

    def __init__(
        self,
        study: optuna.Study,
        plan: Plan,
        deadline: float = float("inf"),
        say: Callable[[FrozenTrial], None] = lambda _: None,
        title: str = "",
    ) -> None:
        self._study, self._plan, self._deadline, self._say, self._title = study, plan, deadline, say, title
        self._slots = Slots(study, plan.count, plan.fixed)

    def work(self) -> None:
        """Takes trials until none is left, the target holds or the budget is spent.

        Raises:
            InputError: the default configuration does not work.
        """
        while not self._is_over():
            trial = self._slots.take()
            if trial is not None:
                self._try(trial)
            elif self._slots.running():
                time.sleep(WAIT)  # one of them may be repeated
            else:
                return

    def _is_over(self) -> bool:
        study = self._study
        return fatal(study) is not None or reached(study, self._plan) or self._is_late()

    def _is_late(self) -> bool:
        """Whether the budget has no time left but that of the final training."""
        outcomes = [outcome_of(trial) for trial in self._study.get_trials(deepcopy=False) if done(trial)]
        longest = max((each.seconds for each in outcomes), default=0.0)
        return time.monotonic() + longest * self._plan.settings.final_rounds() >= self._deadline

    def _try(self, trial: optuna.Trial) -> None:
        storage, trial_id = self._study._storage, trial._trial_id
        slot = trial.user_attrs["slot"]
        trial.set_user_attr("worker", here())
        try:
            with Pulse(lambda count: storage.set_trial_user_attr(trial_id, "pulse", count)):
                state, value = self._run(trial, slot)
        except UpdateFinishedTrialError:
            return  # others have taken this worker for dead, and repeat the trial
        tell(self._study, trial.number, state, value)
        self._say(self._study.get_trials(deepcopy=False)[trial.number])

    def _run(self, trial: optuna.Trial, slot: int) -> tuple[TrialState, float | None]:
        """Runs a trial; its outcome or its error is recorded before its state."""
        self._study.sampler = make_sampler(self._plan.settings, slot, self._plan.space)
        config = self._config(trial, slot)

        def told(step: int, score: float) -> None:
            trial.report(score, step)
            if slot == 0:  # what the others are measured by
                return
            if why := self._why_stopped():
                trial.set_user_attr("stopped", why)
                raise optuna.TrialPruned
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            outcome = run_trial(config, self._title.format(slot), told)
        except optuna.TrialPruned:
            return TrialState.PRUNED, None
        except UpdateFinishedTrialError:
            raise
        except Exception as error:  # whatever goes wrong with these settings, others may work
            said = str(error) if isinstance(error, FewshotError) else f"{type(error).__name__}: {error}"
            trial.set_user_attr("fatal", slot == 0 and isinstance(error, InputError))
            trial.set_user_attr("error", said)
            return TrialState.FAIL, None
        trial.set_user_attr("outcome", outcome.plain())
        return TrialState.COMPLETE, outcome.score.mean

    def _why_stopped(self) -> str | None:
        """Why a trial that is under way need not go on."""
        if time.monotonic() >= self._deadline:
            return "the budget was spent"
        return "the target holds elsewhere" if reached(self._study, self._plan) else None

    def _config(self, trial: optuna.Trial, slot: int) -> Mapping[str, Any]:
        """The configuration of a trial; the default one may lie outside of the space."""
        if slot == 0 and self._plan.space.default(self._plan.base) is None:
            return self._plan.base
        return self._plan.space.config(self._plan.base, self._plan.space.draw(trial))


def done(trial: FrozenTrial) -> bool:
    """Whether a trial came to its end."""
    return trial.state == TrialState.COMPLETE


def outcome_of(trial: FrozenTrial) -> Outcome:
    """What a trial that is done found."""
    return Outcome(**trial.user_attrs["outcome"])


def default_trial(study: optuna.Study) -> FrozenTrial | None:
    """The trial of the default configuration, once it is done."""
    trials = study.get_trials(deepcopy=False)
    return next((trial for trial in trials if done(trial) and trial.user_attrs["slot"] == 0), None)


def best_trial(study: optuna.Study, target: Target | None) -> FrozenTrial | None:
    """The trial with the lowest score, of those that reach the target if any does; the first of equals."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if done(trial)]
    good = [trial for trial in trials if target and reaches(outcome_of(trial), target)]
    return min(good or trials, key=lambda trial: (trial.value, trial.user_attrs["slot"]), default=None)


def reaches(outcome: Outcome, target: Target) -> bool:
    """Whether the 95% interval over the validation tasks lies on the good side of the target."""
    _, low, high = outcome.interval(target.metric)
    return target.holds(low, high)


def fatal(study: optuna.Study) -> str | None:
    """What is wrong with the default configuration, if anything is."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return next((trial.user_attrs["error"] for trial in trials if trial.user_attrs.get("fatal")), None)


def reached(study: optuna.Study, plan: Plan) -> bool:
    """Whether a trial is good enough, and the default one is done, which it is compared with."""
    target = plan.settings.goal()
    best = best_trial(study, target)
    if target is None or best is None or default_trial(study) is None:
        return False
    return reaches(outcome_of(best), target)

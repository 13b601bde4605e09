"""A worker: takes one trial after another until the search is over."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from fewshot.errors import FewshotError, InputError, UnwritableError, shown
from fewshot.search.alive import Pulse, here
from fewshot.search.plan import Plan
from fewshot.search.slots import Slots, tell
from fewshot.search.study import make_sampler
from fewshot.search.trial import run_trial
from fewshot.search.verdict import is_late, is_over, reached

WAIT = 0.5  # seconds between two looks, where others work on the last trials
# of the place where a trial runs, not of its settings: the worker ends, and the slot stays free
OF_THE_PLACE = (UpdateFinishedTrialError, StorageInternalError, UnwritableError, OSError)


class Worker:
    """Works on the trials of a study.

    Args:
        study: shared with other workers.
        plan: what is searched.
        say: is told of every finished trial.
        title: of the progress of a trial, with `{}` for its number; no bar where it is empty.
    """

    def __init__(
        self,
        study: optuna.Study,
        plan: Plan,
        say: Callable[[FrozenTrial], None] = lambda _: None,
        title: str = "",
    ) -> None:
        self._study, self._plan, self._say, self._title = study, plan, say, title
        self._slots = Slots(study, plan.count, plan.fixed)

    def work(self) -> None:
        """Takes trials until none is left, the target holds or the budget is spent."""
        while not is_over(self._study, self._plan):
            trial = self._slots.take()
            if trial is not None:
                self._try(trial)
            elif self._slots.running():
                time.sleep(WAIT)  # one of them may be repeated
            else:
                return

    def _try(self, trial: optuna.Trial) -> None:
        storage, trial_id = self._study._storage, trial._trial_id
        try:
            trial.set_user_attr("worker", here())
            with Pulse(lambda count: storage.set_trial_user_attr(trial_id, "pulse", count)):
                state, value = self._run(trial, trial.user_attrs["slot"])
        except UpdateFinishedTrialError:
            return  # others have taken this worker for dead, and repeat the trial
        except BaseException:  # stopped by the user, or by a full disk: no fault of the settings
            tell(self._study, trial.number, TrialState.FAIL)
            raise
        tell(self._study, trial.number, state, value)
        self._say(self._study.get_trials(deepcopy=False)[trial.number])

    def _run(self, trial: optuna.Trial, slot: int) -> tuple[TrialState, float | None]:
        """Runs a trial; its outcome or its error is recorded before its state."""
        self._study.sampler = make_sampler(self._plan.settings, slot, self._plan.space)
        config = self._config(trial, slot)
        last = config["training"].get("steps", 0)

        def told(step: int, score: float) -> None:
            trial.report(score, step)
            falls_behind = trial.should_prune()  # asked of all: it notes how far each has come
            if slot == 0 or step == last:  # what the others are measured by; and what has cost all it costs
                return
            if why := self._why_stopped():
                trial.set_user_attr("stopped", why)
            if why or falls_behind:
                raise optuna.TrialPruned

        try:
            outcome = run_trial(config, self._title.format(slot), told)
            trial.set_user_attr("outcome", outcome.plain())
            return TrialState.COMPLETE, outcome.score.mean
        except optuna.TrialPruned:
            return TrialState.PRUNED, None
        except OF_THE_PLACE:
            raise
        except Exception as error:  # whatever goes wrong with these settings, others may work
            known = isinstance(error, FewshotError)
            said = str(error) if known else shown(f"{type(error).__name__}: {error}")
            trial.set_user_attr("error", said)
            trial.set_user_attr("fatal", slot == 0 and isinstance(error, InputError))
            return TrialState.FAIL, None

    def _why_stopped(self) -> str | None:
        """Why a trial that is under way need not go on."""
        if is_late(self._study, self._plan):
            return "the budget was spent"
        return "the target holds elsewhere" if reached(self._study, self._plan) else None

    def _config(self, trial: optuna.Trial, slot: int) -> Mapping[str, Any]:
        """The configuration of a trial; the default one may lie outside of the space."""
        if slot == 0 and self._plan.space.default(self._plan.base) is None:
            return self._plan.base
        return self._plan.space.config(self._plan.base, self._plan.space.draw(trial))

"""Which trials are to be made: a slot for each, filled once however many workers look for work.

Optuna counts trials; a slot counts settings. When a worker dies, its trial is over, and the next one in its
slot repeats the settings. Only two operations have to be atomic in the storage, and are: making a waiting
trial, and taking it.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from fewshot.search.alive import Watch

TRIES = 3  # of a slot whose workers die: then its settings are to blame


class Slots:
    """Gives out slots and takes them back from the dead.

    Args:
        study: where the trials are.
        count: how many slots there are; None for no end.
        fixed: the values of a slot, by parameter, where they are not drawn.
    """

    def __init__(
        self, study: optuna.Study, count: int | None, fixed: Callable[[int], Mapping[str, Any]]
    ) -> None:
        self._study, self._count, self._fixed = study, count, fixed
        self._watch = Watch()

    def take(self) -> optuna.Trial | None:
        """A trial to work on; None where all slots are filled or taken."""
        while True:
            self._bury()
            if not any(self.waiting()):
                slot = self._next()
                if slot is None:
                    return None
                self._study.enqueue_trial(self._values(slot), user_attrs={"slot": slot})
            trial = self._study.ask()
            if self._is_needed(trial.number):
                return trial
            tell(self._study, trial.number, TrialState.FAIL)

    def _values(self, slot: int) -> dict[str, Any]:
        """What is not drawn: what the plan fixes, or what a trial that was broken off had drawn."""
        before = [t for t in self._study.get_trials(deepcopy=False) if t.user_attrs.get("slot") == slot]
        return dict(self._fixed(slot)) or (dict(before[-1].params) if before else {})

    def waiting(self) -> list[FrozenTrial]:
        """Trials that nobody works on yet."""
        return self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))

    def running(self) -> list[FrozenTrial]:
        """Trials that somebody works on, or has left behind."""
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def _bury(self) -> None:
        """Ends the trials of the dead, which frees their slots."""
        for trial in self.running():
            if self._watch.is_dead(trial):
                with contextlib.suppress(UpdateFinishedTrialError):  # another worker was faster, or it lives
                    self._study._storage.set_trial_user_attr(trial._trial_id, "died", True)
                    tell(self._study, trial.number, TrialState.FAIL)

    def _next(self) -> int | None:
        filled = {
            trial.user_attrs["slot"] for trial in self._study.get_trials(deepcopy=False) if fills(trial)
        }
        lost = lost_slots(self._study)
        slot = 0
        while slot in filled or slot in lost:
            slot += 1
        return slot if self._count is None or slot < self._count else None

    def _is_needed(self, number: int) -> bool:
        """Whether no earlier trial fills the same slot; one without a slot was made in a race."""
        trials = self._study.get_trials(deepcopy=False)
        slot = trials[number].user_attrs.get("slot")
        return slot is not None and not any(
            fills(trial) and trial.user_attrs["slot"] == slot for trial in trials[:number]
        )


def tell(study: optuna.Study, number: int, state: TrialState, value: float | None = None) -> None:
    """Ends a trial, unless somebody else has ended it."""
    if not study.get_trials(deepcopy=False)[number].state.is_finished():
        with contextlib.suppress(UpdateFinishedTrialError):
            study.tell(number, value, state, skip_if_finished=True)


def fills(trial: FrozenTrial) -> bool:
    """Whether a trial stands for its slot: waiting, running, done, or failed for a reason that stays."""
    attributes = trial.user_attrs
    return "slot" in attributes and (trial.state != TrialState.FAIL or "error" in attributes)


def lost_slots(study: optuna.Study) -> dict[int, FrozenTrial]:
    """Slots whose workers have died so often that they are given up, with the last trial of each."""
    dead: dict[int, list[FrozenTrial]] = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
        if trial.user_attrs.get("died") and "slot" in trial.user_attrs:
            dead.setdefault(trial.user_attrs["slot"], []).append(trial)
    return {slot: trials[-1] for slot, trials in dead.items() if len(trials) >= TRIES}

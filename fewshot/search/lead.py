"""The loop: search until it is good enough, train the best settings finally, test once."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial
from rich.console import Console

from fewshot.errors import FewshotError, InputError, Whole
from fewshot.report.search import print_search
from fewshot.search.crew import Crew
from fewshot.search.final import Final, tested, train_finally
from fewshot.search.plan import Plan
from fewshot.search.plots import draw
from fewshot.search.results import rows, why, write
from fewshot.search.verdict import (
    best_trial,
    default_trial,
    done,
    fatal,
    hopeless,
    outcome_of,
    reached,
    trials_of,
)
from fewshot.search.worker import Worker

TRIALS = "trials.db"  # the storage, where none is named
STATES = "states"  # folder of the frozen states that trials share


@dataclass(frozen=True)
class Job:
    """A search as the command line asks for it."""

    out: Path
    plan: Plan
    study: optuna.Study


def lead(job: Job, arguments: Sequence[str]) -> None:
    """Searches, trains finally, tests once.

    Raises:
        InputError: the default configuration does not work.
        FewshotError: no trial came to its end, a worker dies again and again, a final training failed.
    """
    write(job.out, job.study, job.plan, None, None)
    _set_deadline(job)
    console = Console(stderr=True, highlight=False)
    settings, started = job.plan.settings, time.time()

    def say(trial: FrozenTrial) -> None:
        if trial.user_attrs.get("fatal"):
            return  # its error ends the search
        write(job.out, job.study, job.plan, None, None)
        console.print(_line(job, trial, started), soft_wrap=True, markup=False)

    if settings.workers == 1:
        Worker(job.study, job.plan, say, "trial {}").work()
    else:
        Crew(job.study, job.plan, job.out, arguments).work(say)
    _finish(job)


def _set_deadline(job: Job) -> None:
    """Of all workers, by the clock of this machine; what earlier runs of this search took is spent."""
    budget = job.plan.settings.budget_seconds()
    if budget is not None:
        spent = sum(trial.duration.total_seconds() for trial in trials_of(job.study) if trial.duration)
        left = budget - spent / job.plan.settings.workers
        job.study.set_user_attr("deadline", time.time() + left)


def _finish(job: Job) -> None:
    if wrong := fatal(job.study):
        _discard(job)
        raise InputError(Whole(wrong))
    settings = job.plan.settings
    shutil.rmtree(job.out / STATES, ignore_errors=True)
    if words := hopeless(job.study):
        raise FewshotError(
            "trial after trial fails with the same words",
            where=job.out,
            got=Whole(words),
            fix="mend it, and search again with another --out",
        )
    best = best_trial(job.study, settings.goal())
    if best is None:
        raise FewshotError("no trial came to its end", where=job.out, got=_errors(job.study))
    ended = _end(job, best)
    write(job.out, job.study, job.plan, ended, None)
    draw(job.out / "plots", job.study, job.plan)
    finals = _finals(job, best)
    train_finally(finals, settings.workers, f"{ended}; final trainings")
    content = write(job.out, job.study, job.plan, ended, tested(finals))
    print_search(content, rows(job.study, job.plan), Console())
    Console().print(f"written to {job.out}", soft_wrap=True, highlight=False, markup=False)


def _discard(job: Job) -> None:
    """Removes what a search has written whose default does not work: corrected, it is another search."""
    if not any(done(trial) for trial in trials_of(job.study)):
        optuna.delete_study(study_name=job.study.study_name, storage=job.study._storage)
        shutil.rmtree(job.out)


def _finals(job: Job, best: FrozenTrial) -> list[Final]:
    """The default settings once, if they are the best."""
    names = ["default"] if best.user_attrs["slot"] == 0 else ["best", "default"]
    folder, seeds = job.out / "final", range(job.plan.settings.seeds)
    if default_trial(job.study) is None:  # failed, or stopped with the budget
        names.remove("default")
    runs = {name: tuple(folder / f"{name}-seed-{seed}" for seed in seeds) for name in names}
    return [Final(name, job.out / f"{name}.yaml", own) for name, own in runs.items()]


def _end(job: Job, best: FrozenTrial) -> str:
    """Why the search has ended; from here on its best trial is the best, whatever workers still finish."""
    recorded = job.study.user_attrs.get("ended")
    if recorded:
        return str(recorded["why"])
    count, made = job.plan.count, len([t for t in trials_of(job.study) if t.state.is_finished()])
    all_made = count is not None and made >= count
    words = "all trials are made" if all_made else "the budget is spent"
    words = "the target holds" if reached(job.study, job.plan) else words
    job.study.set_user_attr("ended", {"why": words, "best": best.user_attrs["slot"]})
    return words


def _errors(study: optuna.Study) -> str:
    found = [trial.user_attrs["error"] for trial in trials_of(study) if "error" in trial.user_attrs]
    return "\n          ".join(dict.fromkeys(found)) or "trials that were pruned or stopped with the budget"


def _line(job: Job, trial: FrozenTrial, started: float) -> str:
    """What is said of a finished trial."""
    slot = trial.user_attrs["slot"]
    if done(trial):
        (score, low, high), (recall, *_) = map(outcome_of(trial).interval, ("score", "recall"))
        said = f"score {score:.3f} ({low:.3f} to {high:.3f}), recall {100 * recall:.1f}"
    else:
        said = (why(trial) or "pruned").splitlines()[0]
    best = best_trial(job.study, job.plan.settings.goal())
    after = f"; best so far: trial {best.user_attrs['slot']}, {best.value:.3f}" if best else ""
    return f"trial {slot}: {said}{after}{_left(job, started)}"


def _left(job: Job, started: float) -> str:
    """An estimate from the trials that have been finished since this process began."""
    if job.plan.count is None:
        return ""
    finished = [t for t in trials_of(job.study) if t.state.is_finished()]
    own = [t for t in finished if t.datetime_complete and t.datetime_complete.timestamp() > started]
    left = job.plan.count - len(finished)
    seconds = (time.time() - started) / max(1, len(own)) * left
    return f"; {left} to go, about {max(1, round(seconds / 60))} min" if left > 0 else ""

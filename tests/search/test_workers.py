"""Workers that share a storage: nothing is made twice, nothing that is finished is lost."""

import math
import os
import random
import select
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from fewshot.errors import FewshotError, InputError
from fewshot.metrics.scores import SCORES
from fewshot.search import alive, worker
from fewshot.search.alive import Watch
from fewshot.search.outcome import Outcome
from fewshot.search.parameter import Parameter
from fewshot.search.plan import Plan
from fewshot.search.results import rows
from fewshot.search.settings import Search
from fewshot.search.slots import TRIES
from fewshot.search.space import Space
from fewshot.search.study import make_pruner, open_storage, open_study
from fewshot.search.verdict import best_trial, default_trial, done, fatal, hopeless, outcome_of, trials_of
from fewshot.search.worker import Worker

TRIALS = 24
SPACE = Space([Parameter("training.lr", "training.lr", FloatDistribution(1e-3, 1.0, log=True), {})])
BASE = {"training": {"lr": 0.1}, "validation": {"every": 1}}
Run = Callable[[Mapping[str, Any], str, Callable[[int, float], None]], Outcome]


def outcome(lr: float, tasks: int = 4) -> Outcome:
    losses = [lr + n / 10 for n in range(tasks)]
    scores = {name: [1 - loss / 2 for loss in losses] for name in SCORES}
    return Outcome(3, scores | {"loss": losses}, [1.0] * tasks, None, "same", 1.0, 0.1, 4, {}, f"lr: {lr}\n")


def quick(config: Mapping[str, Any], _: str, told: Callable[[int, float], None]) -> Outcome:
    """Stands for a training: the score is the rate."""
    lr = config["training"]["lr"]
    for step in (1, 2, 3):
        told(step, lr)
    return outcome(lr)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    def replace(trial: Run) -> None:
        monkeypatch.setattr(worker, "run_trial", trial)

    replace(quick)
    return replace


def plan(**settings: Any) -> Plan:
    given: dict[str, Any] = {"trials": 8, "pruner": "none"} | settings
    return Plan(BASE, SPACE, Search(**given))


def study_at(folder: Path, kind: str = "sqlite", **settings: Any) -> optuna.Study:
    url = f"sqlite:///{folder / 'trials.db'}" if kind == "sqlite" else str(folder / "trials.journal")
    pruner = make_pruner(plan(**settings).settings, 1)
    return open_study(open_storage(url), "search", {"seed": 0}, pruner)


def by_slot(study: optuna.Study) -> dict[int, tuple[str, Mapping[str, Any]]]:
    return {trial.user_attrs["slot"]: (trial.state.name, trial.params) for trial in trials_of(study)}


def forked(work: Callable[[], object]) -> int:
    """A process of its own that does this; it exits with 1 where that fails."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    """Waits for a process; its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_worker(folder: Path, kind: str, seconds: float, slow: float) -> None:
    """A worker in a process of its own, killed some time after it has begun its first trial."""
    begun, tell = os.pipe()

    def trial(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        os.write(tell, b".")
        time.sleep(slow)
        return quick(config, title, told)

    def work() -> None:
        vars(worker)["run_trial"] = trial
        Worker(study_at(folder, kind), plan(trials=TRIALS)).work()
        os.write(tell, b".")

    child = forked(work)
    select.select([begun], [], [], 60)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    ended(child)
    os.close(begun)
    os.close(tell)


@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 20), ("journal", 3)])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_worker_killed_at_random_moments_loses_no_finished_trial(
    tmp_path: Path, kind: str, kills: int, run: Callable[[Run], None]
) -> None:
    chance = random.Random(0)
    finished: dict[int, tuple[str, Mapping[str, Any]]] = {}
    for _ in range(kills):
        killed_worker(tmp_path, kind, chance.uniform(0, 0.3), slow=chance.uniform(0, 0.05))
        found = {n: each for n, each in by_slot(study_at(tmp_path, kind)).items() if each[0] == "COMPLETE"}
        assert all(found[slot] == each for slot, each in finished.items())
        finished = found
    assert finished
    Worker(study_at(tmp_path, kind), plan(trials=TRIALS)).work()
    whole = by_slot(study_at(tmp_path, kind))
    assert {state for state, _ in whole.values()} <= {"COMPLETE", "FAIL"}  # given up after three deaths
    expected = undisturbed()
    assert list(whole) == list(expected)
    assert all(params == expected[slot] for slot, (state, params) in whole.items() if state == "COMPLETE")


def undisturbed() -> dict[int, Mapping[str, Any]]:
    """The settings of the same trials by one worker that nobody kills."""
    storage = optuna.storages.InMemoryStorage()
    study = open_study(storage, "search", {"seed": 0}, make_pruner(plan().settings, 1))
    Worker(study, plan(trials=TRIALS)).work()
    return {slot: params for slot, (_, params) in by_slot(study).items()}


@pytest.fixture
def done_study(tmp_path: Path, run: Callable[[Run], None]) -> optuna.Study:
    study = study_at(tmp_path)
    Worker(study, plan()).work()
    return study


def test_the_default_comes_first_and_the_best_is_found(done_study: optuna.Study) -> None:
    first, best = default_trial(done_study), best_trial(done_study, None)
    assert first is not None
    assert best is not None
    assert first.params == {"training.lr": 0.1}
    scores = [trial.value for trial in trials_of(done_study)]
    assert best.value == min(value for value in scores if value is not None)
    assert len(scores) == 8


def test_a_default_outside_of_the_space_is_tried_as_it_is(tmp_path: Path, run: Callable[[Run], None]) -> None:
    study = study_at(tmp_path)
    Worker(study, Plan({"training": {"lr": 5.0}}, SPACE, Search(trials=2, pruner="none"))).work()
    first, second = trials_of(study)
    assert first.params == {}
    assert first.value == pytest.approx(5.15)
    assert set(second.params) == {"training.lr"}


def test_more_trials_go_on_where_fewer_have_ended(done_study: optuna.Study, tmp_path: Path) -> None:
    before = by_slot(done_study)
    Worker(study_at(tmp_path), plan(trials=10)).work()
    after = by_slot(study_at(tmp_path))
    assert list(after) == list(range(10))
    assert {slot: after[slot] for slot in before} == before


def test_two_workers_make_every_trial_once(tmp_path: Path, run: Callable[[Run], None]) -> None:
    children = [forked(lambda: Worker(study_at(tmp_path), plan(trials=12)).work()) for _ in range(2)]
    assert [ended(child) for child in children] == [0, 0]
    study = study_at(tmp_path)
    complete = [
        trial.user_attrs["slot"] for trial in study.get_trials() if trial.state == TrialState.COMPLETE
    ]
    assert sorted(complete) == list(range(12))


def test_settings_whose_workers_die_again_and_again_are_given_up(
    tmp_path: Path, run: Callable[[Run], None]
) -> None:
    def deadly(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        if config["training"]["lr"] > 0.2:
            os.kill(os.getpid(), signal.SIGKILL)
        return quick(config, title, told)

    run(deadly)
    for _ in range(3 * TRIES):
        ended(forked(lambda: Worker(study_at(tmp_path), plan(trials=6)).work()))
    study = study_at(tmp_path)
    given_up = [row for row in rows(study, plan(trials=6)) if row["why"] == f"its worker died {TRIES} times"]
    assert given_up
    assert all(row["state"] == "failed" and row["training.lr"] > 0.2 for row in given_up)
    assert {row["trial"] for row in rows(study, plan(trials=6))} == set(range(6))


def test_what_goes_wrong_with_some_settings_is_recorded(tmp_path: Path, run: Callable[[Run], None]) -> None:
    def failing(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        if config["training"]["lr"] != 0.1:
            raise (
                FewshotError("the loss is not finite", where="outer step 3") if title else RuntimeError("odd")
            )
        return quick(config, title, told)

    run(failing)
    study = study_at(tmp_path)
    Worker(study, plan(trials=2)).work()
    Worker(study, plan(trials=3), title="trial {}").work()
    why = [row["why"] for row in rows(study, plan())]
    assert why == ["", "RuntimeError: odd", "the loss is not finite\n  where:  outer step 3"]
    assert fatal(study) is None


def test_a_default_that_does_not_work_ends_the_search(tmp_path: Path, run: Callable[[Run], None]) -> None:
    def wrong(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        raise InputError("no such data set", where="family.source")

    run(wrong)
    study = study_at(tmp_path)
    Worker(study, plan()).work()
    assert fatal(study) == "no such data set\n  where:  family.source"
    assert len(study.get_trials()) == 1


def test_trials_that_all_fail_with_the_same_words_end_the_search(
    tmp_path: Path, run: Callable[[Run], None]
) -> None:
    def failing(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        raise FewshotError("no more memory")

    run(failing)
    study = study_at(tmp_path)
    Worker(study, plan(trials=None, target="recall=0.9")).work()
    assert hopeless(study) == "no more memory"
    assert len(trials_of(study)) == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("no space left")])
def test_a_trial_that_is_broken_off_is_repeated_with_its_settings(
    error: BaseException, tmp_path: Path, run: Callable[[Run], None]
) -> None:
    drawn: list[float] = []

    def broken(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        drawn.append(config["training"]["lr"])
        if len(drawn) in (2, 3, 4, 5):
            raise error
        return quick(config, title, told)

    run(broken)
    for _ in range(4):
        with pytest.raises(type(error)):
            Worker(study_at(tmp_path), plan(trials=2, sampler="tpe")).work()
    Worker(study_at(tmp_path), plan(trials=2, sampler="tpe")).work()
    assert [row["state"] for row in rows(study_at(tmp_path), plan())] == ["done", "done"]
    assert len(set(drawn[1:])) == 1


def test_a_trial_without_a_slot_stands_in_nobodys_way(tmp_path: Path, run: Callable[[Run], None]) -> None:
    study = study_at(tmp_path)
    study.ask().set_user_attr("worker", alive.here() | {"since": 0.0})
    Worker(study, plan(trials=2)).work()
    assert list(by_slot(study)) == [0, 1]


def test_a_search_that_has_ended_keeps_its_best(done_study: optuna.Study, run: Callable[[Run], None]) -> None:
    done_study.set_user_attr("ended", {"why": "the budget is spent", "best": 3})
    Worker(done_study, plan(trials=20)).work()
    assert len(trials_of(done_study)) == 8
    best = best_trial(done_study, None)
    assert best is not None
    assert best.user_attrs["slot"] == 3


def test_the_target_does_not_wait_for_a_default_that_fails(
    tmp_path: Path, run: Callable[[Run], None]
) -> None:
    def failing(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        if config["training"]["lr"] == 0.1:
            raise FewshotError("the loss is not finite")
        return quick(config, title, told)

    run(failing)
    study = study_at(tmp_path)
    Worker(study, plan(trials=None, target="score=10")).work()
    assert [row["state"] for row in rows(study, plan())] == ["failed", "done"]


def test_the_target_ends_the_search(tmp_path: Path, run: Callable[[Run], None]) -> None:
    study = study_at(tmp_path)
    Worker(study, plan(trials=None, target="score=0.4")).work()
    best = best_trial(study, Search(target="score=0.4").goal())
    assert best is not None
    outcomes = [outcome_of(trial).score.high for trial in trials_of(study)]
    assert outcomes[-1] <= 0.4
    assert all(high > 0.4 for high in outcomes[1:-1])


def test_the_budget_keeps_time_for_the_final_training(tmp_path: Path, run: Callable[[Run], None]) -> None:
    study = study_at(tmp_path)
    late = time.time() + 6.8  # six trainings of the second that a trial says it took, and a little
    study.set_user_attr("deadline", late)
    Worker(study, plan(trials=None, budget="1h", seeds=3)).work()
    assert 5 < late - time.time() <= 6.1
    assert len(trials_of(study)) >= 1


def test_a_spent_budget_stops_a_trial_under_way(tmp_path: Path, run: Callable[[Run], None]) -> None:
    study = study_at(tmp_path)

    def long(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        time.sleep(0.0 if config["training"]["lr"] == 0.1 else 1.0)
        found = quick(config, title, told)
        return Outcome(**found.plain() | {"seconds": 0.0})

    run(long)
    study.set_user_attr("deadline", time.time() + 0.8)
    Worker(study, plan(trials=None, budget="1h")).work()
    last = rows(study, plan())[-1]
    assert (last["state"], last["why"]) == ("pruned", "the budget was spent")


def test_trials_that_fall_behind_are_pruned_but_not_the_default(
    tmp_path: Path, run: Callable[[Run], None]
) -> None:
    base = {"training": {"lr": 0.9}}
    settings = Search(trials=12, pruner="median")
    study = study_at(tmp_path, pruner="median")
    Worker(study, Plan(base, SPACE, settings)).work()
    states = [row["state"] for row in rows(study, Plan(base, SPACE, settings))]
    assert states[0] == "done"
    assert "pruned" in states
    kept = [trial.intermediate_values[1] for trial in trials_of(study)[1:] if done(trial)]
    lost = [trial.intermediate_values[1] for trial in trials_of(study) if not done(trial)]
    assert min(lost) > max(kept[2:])  # the first three are never pruned


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes"])
def test_every_sampler_finds_a_minimum(sampler: str, run: Callable[[Run], None]) -> None:
    two = Space(
        [
            Parameter("training.lr", "training.lr", FloatDistribution(1e-3, 1.0, log=True), {}),
            Parameter("training.warmup", "training.warmup", FloatDistribution(0.0, 1.0), {}),
        ]
    )

    def bowl(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        lr, warmup = config["training"]["lr"], config["training"]["warmup"]
        return outcome((math.log10(lr) + 2) ** 2 + (warmup - 0.3) ** 2)

    run(bowl)
    settings = Search(trials=40, sampler=sampler, pruner="none")  # type: ignore[arg-type]
    storage = optuna.storages.InMemoryStorage()
    study = open_study(storage, "search", {"seed": 0}, make_pruner(settings, 1))
    Worker(study, Plan({"training": {"lr": 1.0, "warmup": 1.0}}, two, settings)).work()
    scores = [trial.value or 0 for trial in trials_of(study)]
    assert scores[0] > 4
    assert min(scores) < 0.5
    if sampler != "random":  # they learn from what came before
        assert sum(scores[20:]) / 20 < sum(scores[1:11]) / 10


def test_a_storage_of_another_search_is_refused(done_study: optuna.Study, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        open_study(
            open_storage(f"sqlite:///{tmp_path / 'trials.db'}"), "search", {"seed": 1}, done_study.pruner
        )
    assert str(error.value) == (
        "the storage holds another search\n"
        "  where:  study 'search'\n"
        "  got:    one that differs in seed\n"
        "  needed: the same configuration, space, sampler and seed in all workers and when a search goes on\n"
        "  do:     take another --storage, --study or --out for another search"
    )


def test_trials_of_another_program_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    optuna.create_study(storage=url, study_name="search").ask()
    with pytest.raises(InputError, match="got:    trials of another program"):
        study_at(tmp_path)


def test_a_password_is_not_printed() -> None:
    with pytest.raises(InputError) as error:
        open_storage("nonsense://me:secret@host/name")
    assert "secret" not in str(error.value)
    assert "nonsense://me:***@host/name" in str(error.value)


def test_a_journal_locks_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links: list[str] = []
    link = os.symlink

    def note(target: str, *rest: Any) -> None:
        links.append(target)
        link(target, *rest)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "symlink", note)
    storage = open_storage("sub/trials.journal")
    open_study(storage, "search", {"seed": 0}, make_pruner(plan().settings, 1))
    assert set(links) == {str(tmp_path / "sub" / "trials.journal")}


@pytest.mark.parametrize("url", ["trials.txt", "nonsense://host/name", "sqlite:////no/such/folder/trials.db"])
def test_a_storage_that_cannot_be_opened_is_refused(url: str) -> None:
    with pytest.raises(InputError) as error:
        open_storage(url)
    assert str(error.value).startswith(
        f"the storage cannot be opened\n  where:  --storage\n  got:    {url}: "
    )


def trial_of(owner: Mapping[str, Any] | None, pulse: int | None) -> optuna.trial.FrozenTrial:
    attributes = {"worker": owner, "pulse": pulse}
    return optuna.trial.create_trial(
        state=TrialState.RUNNING,
        user_attrs={name: each for name, each in attributes.items() if each is not None},
    )


def test_a_process_of_this_machine_is_looked_up() -> None:
    own = alive.here()
    assert not Watch().is_dead(trial_of(own, 0))
    assert Watch().is_dead(trial_of(own | {"since": own["since"] - 100}, 0))  # its number, another process
    child = forked(lambda: None)
    ended(child)
    assert Watch().is_dead(trial_of(own | {"pid": child}, 0))


@pytest.mark.parametrize(("owner", "grace"), [({"host": "elsewhere"}, alive.GRACE), (None, alive.UNNAMED)])
def test_a_process_elsewhere_is_dead_without_a_pulse(owner: dict[str, Any] | None, grace: float) -> None:
    now = [0.0]
    watch = Watch(lambda: now[0])
    assert not watch.is_dead(trial_of(owner, 1))
    now[0] = grace + 1
    assert not watch.is_dead(trial_of(owner, 2))  # it has beaten meanwhile
    now[0] += grace - 1
    assert not watch.is_dead(trial_of(owner, 2))
    now[0] += 2
    assert watch.is_dead(trial_of(owner, 2))


def test_a_worker_taken_for_dead_leaves_its_trial_to_others(
    tmp_path: Path, run: Callable[[Run], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_at(tmp_path)
    tries = []

    def buried(config: Mapping[str, Any], title: str, told: Callable[[int, float], None]) -> Outcome:
        tries.append(config)
        if len(tries) == 1:
            study.tell(0, state=TrialState.FAIL)
        return quick(config, title, told)

    run(buried)
    Worker(study, plan(trials=1)).work()
    assert [trial.state for trial in study.get_trials()] == [TrialState.FAIL, TrialState.COMPLETE]
    assert len(tries) == 2


def test_workers_may_open_a_new_storage_at_the_same_moment(tmp_path: Path) -> None:
    children = [forked(lambda: study_at(tmp_path)) for _ in range(4)]
    assert [ended(child) for child in children] == [0] * 4

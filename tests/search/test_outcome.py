"""What is made of the validation of a trial: intervals, ties, the Pareto front, JSON."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import handmade
import numpy as np
import optuna
import pytest
from scipy import stats

from fewshot.best import Validated
from fewshot.data.example import Example
from fewshot.search.outcome import Outcome, pareto, tied
from fewshot.search.settings import METRICS
from fewshot.search.study import open_storage
from fewshot.tasks.episode import Episode

HIGH = ("accuracy", "precision", "recall", "f1")


def outcome(
    losses: Sequence[float],
    priors: Sequence[float] | None = None,
    baseline: float | None = None,
    episodes: str = "same",
    seconds: float = 1.0,
    size: int = 4,
) -> Outcome:
    tasks = {name: [n / (k + len(losses)) for n in range(len(losses))] for k, name in enumerate(HIGH)}
    return Outcome(
        step=3,
        tasks=tasks | {"loss": list(losses)},
        priors=list(priors or [1.0] * len(losses)),
        baseline=baseline,
        episodes=episodes,
        seconds=12.5,
        seconds_per_task=seconds,
        bytes=size,
        objective={"meta-training": 0.5},
        config="training: {}\n",
    )


def drawn(seed: int, count: int = 20, mean: float = 1.0, spread: float = 0.3) -> list[float]:
    values: list[float] = np.random.default_rng(seed).normal(mean, spread, count).tolist()
    return values


def test_values_of_every_task_by_metric() -> None:
    episode = Episode((Example("a", "x"), Example("b", "y")), (Example("c", "x"),), ("x", "y"))
    scores = [handmade.scores(0.1, 0.2, 0.3, 0.4), handmade.scores(0.5, 0.6, 0.7, 0.8)]
    before = handmade.scores(0.0, 0.0, 0.0, 0.0)
    results = [handmade.result(n, episode, each, before, 1.0 + n) for n, each in enumerate(scores)]
    assert Outcome.tasks_of(Validated(2, results)) == {
        "accuracy": [0.1, 0.5],
        "precision": [0.2, 0.6],
        "recall": [0.3, 0.7],
        "f1": [0.4, 0.8],
        "loss": [1.0, 2.0],
    }


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_of_a_target_has_a_students_interval(metric: str) -> None:
    found = outcome(drawn(0), [2.0, 3.0] * 10)
    values = np.divide(found.tasks["loss"], 2.5) if metric == "score" else np.array(found.tasks[metric])
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    assert found.interval(metric) == pytest.approx((values.mean(), low, high), rel=1e-12)


def test_the_interval_of_one_task_is_its_value() -> None:
    assert outcome([0.8]).interval("loss") == (0.8, 0.8, 0.8)
    assert outcome([0.8], [2.0]).interval("score") == (0.4, 0.4, 0.4)


def test_the_score_is_measured_in_what_the_user_says() -> None:
    found = outcome([1.0, 3.0], [1.0, 1.0], baseline=4.0)
    assert (found.score.mean, found.score.baseline_loss) == (0.5, 4.0)


def moved(losses: Sequence[float], by: float) -> list[float]:
    return [loss + by for loss in losses]


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_tie_ends_where_the_interval_of_scipy_does(same: bool, seed: int) -> None:
    """Of the same tasks, whose losses go together; of fewer other ones with another spread."""
    ours = drawn(seed)
    theirs = drawn(seed + 10, count=4, spread=0.9)
    if same:
        theirs = (np.array(ours) + drawn(seed + 20, mean=0.1, spread=0.1)).tolist()
        test = stats.ttest_rel(ours, theirs)
    else:
        test = stats.ttest_ind(ours, theirs, equal_var=False)
    interval = test.confidence_interval(0.95)  # of the difference; L* is 1
    other = outcome(theirs, episodes="same" if same else "others")
    for end, out in ((interval.low, 1e-6), (interval.high, -1e-6)):
        for step, expected in ((out, False), (-out, True)):
            one = outcome(moved(ours, -end + step))
            assert tied(one, other) == tied(other, one) == expected


def test_the_same_episodes_are_compared_task_by_task() -> None:
    """A small difference in every task is one; of other tasks as different as these it says nothing."""
    losses = drawn(0, spread=1.0)
    better = [loss - 0.01 for loss in losses]
    assert not tied(outcome(losses), outcome(better))
    assert tied(outcome(losses), outcome(better, episodes="others"))


def test_scores_are_compared_and_not_losses() -> None:
    losses = drawn(0)
    double = [2 * loss for loss in losses]
    assert tied(outcome(losses), outcome(double, [2.0] * 20))
    assert tied(outcome(losses), outcome(double, baseline=2.0))
    assert tied(outcome(losses), outcome(double, [2.0] * 20, episodes="others"))
    assert not tied(outcome(losses), outcome(double))
    assert not tied(outcome(losses), outcome(double, episodes="others"))


@pytest.mark.parametrize("episodes", ["same", "others"])
@pytest.mark.parametrize("count", [1, 5])
def test_without_spread_only_equals_are_tied(episodes: str, count: int) -> None:
    assert tied(outcome([0.5] * count), outcome([0.5] * count, episodes=episodes))
    assert not tied(outcome([0.5] * count), outcome([0.6] * count, episodes=episodes))


def test_a_trial_is_tied_with_itself() -> None:
    assert tied(outcome(drawn(3)), outcome(drawn(3)))


def beats(one: Outcome, other: Outcome) -> bool:
    """The definition: no worse in anything, better in something."""
    pairs = (
        (one.score.mean, other.score.mean),
        (one.seconds_per_task, other.seconds_per_task),
        (one.bytes, other.bytes),
    )
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def test_the_front_is_that_of_the_definition() -> None:
    generator = np.random.default_rng(0)
    sizes = set()
    for _ in range(40):
        costs = generator.integers(1, 6, (12, 3)).tolist()  # few values, so that many are equal
        trials = {
            10 * n: outcome([float(loss)], seconds=float(seconds), size=size)
            for n, (loss, seconds, size) in enumerate(costs)
        }
        front = {n for n, own in trials.items() if not any(beats(each, own) for each in trials.values())}
        assert pareto(trials) == front
        sizes.add(len(front))
    assert len(sizes) > 3  # they are not all alike


def test_equals_stay_on_the_front_together() -> None:
    trials = {0: outcome([1.0]), 1: outcome([1.0]), 2: outcome([1.0], size=5), 3: outcome([0.5], seconds=9.0)}
    assert pareto(trials) == {0, 1, 3}


def test_a_trial_alone_is_the_front() -> None:
    assert pareto({7: outcome([1.0])}) == {7}
    assert pareto({}) == set()


AWKWARD = [0.1, 1 / 3, math.pi, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1 + 2**-52, -0.0]


def exact(found: Outcome) -> list[str]:
    """Every float to its last bit."""
    values = [
        *found.tasks["loss"],
        *found.priors,
        found.seconds,
        found.seconds_per_task,
        found.baseline or 0.0,
    ]
    return [value.hex() for value in [*values, *found.objective.values()]]


def awkward() -> Outcome:
    bits = np.random.default_rng(0).integers(0, 0x7FE, 200) << 52 | np.random.default_rng(1).integers(
        0, 2**52, 200
    )
    losses = [*AWKWARD, *bits.view(np.float64).tolist()]
    return outcome(losses, list(reversed(losses)), baseline=0.1 + 0.2, seconds=1e-7 / 3)


def test_json_keeps_every_float() -> None:
    found = awkward()
    back = Outcome(**json.loads(json.dumps(found.plain())))
    assert exact(back) == exact(found)
    assert back == found


@pytest.mark.parametrize("name", ["trials.journal", "trials.db"])
def test_a_storage_keeps_every_float(name: str, tmp_path: Path) -> None:
    url = str(tmp_path / name)
    url = url if name.endswith("journal") else f"sqlite:///{url}"
    found = awkward()
    study = optuna.create_study(storage=open_storage(url), study_name="search")
    study.ask().set_user_attr("outcome", found.plain())
    (trial,) = optuna.load_study(storage=open_storage(url), study_name="search").trials
    back = Outcome(**trial.user_attrs["outcome"])
    assert exact(back) == exact(found)
    assert back == found

import time

import numpy as np
import pytest
from scipy import stats

from fewshot.metrics.bootstrap import bootstrap_interval
from fewshot.metrics.intervals import mean_interval


def test_it_is_the_percentiles_of_means_of_tasks_drawn_again() -> None:
    values = np.random.default_rng(0).beta(8, 2, 40)
    low, high = bootstrap_interval(values.tolist(), seed=3, resamples=20_000)
    generator = np.random.default_rng(1)
    means = sorted(values[generator.integers(0, 40, 40)].mean() for _ in range(20_000))
    assert (low, high) == pytest.approx((means[499], means[19_500]), abs=1e-3)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).random(30).tolist()
    assert bootstrap_interval(values, 5) == bootstrap_interval(values, 5) != bootstrap_interval(values, 6)


def test_many_tasks_have_students_interval() -> None:
    values = np.random.default_rng(0).beta(8, 2, 600).tolist()
    _, _, low, high = mean_interval(values)
    assert bootstrap_interval(values, 0) == pytest.approx((low, high), abs=1.5e-3)


@pytest.mark.parametrize("values", [[0.7], [0.7, 0.7, 0.7]], ids=["one", "equal"])
def test_without_spread_it_is_the_value(values: list[float]) -> None:
    assert bootstrap_interval(values, 0) == pytest.approx((0.7, 0.7))


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    """2,000 evaluations of 100 simulated tasks, skewed as accuracies are."""
    generator = np.random.default_rng(0)
    accuracy = generator.binomial(75, generator.beta(8, 2, (2000, 100))) / 75
    covered = 0
    for number, values in enumerate(accuracy):
        low, high = bootstrap_interval(values.tolist(), number, resamples=400)
        covered += low <= 0.8 <= high
    assert 0.93 <= covered / 2000 <= 0.97


def test_six_hundred_tasks_take_milliseconds() -> None:
    values = np.random.default_rng(0).random(600).tolist()
    bootstrap_interval(values, 0)
    started = time.process_time()
    bootstrap_interval(values, 0)
    assert time.process_time() - started < 0.3  # 0.02 s where this was written


def test_one_task_has_its_value_and_two_have_an_interval() -> None:
    assert bootstrap_interval([0.25], 0) == (0.25, 0.25)
    assert bootstrap_interval([0.25, 0.75], 0) == (0.25, 0.75)  # a quarter of the draws are one task twice


def test_it_is_scipys_percentile_interval_of_two_thousand_draws() -> None:
    values = np.random.default_rng(0).beta(8, 2, 20)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=2000, rng=np.random.default_rng(7)
    ).confidence_interval
    found = bootstrap_interval(values.tolist(), 7)
    assert found == pytest.approx((theirs.low, theirs.high))
    assert {type(end) for end in found} == {float}

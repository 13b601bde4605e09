import numpy as np
import pytest
from scipy import stats

from fewshot.metrics.intervals import mean_interval, over_tasks, set_means


def test_the_interval_is_students() -> None:
    values = [0.2, 0.5, 0.9, 0.4, 0.8]
    mean, std, low, high = mean_interval(values)
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected)
    assert (mean, std) == pytest.approx((np.mean(values), np.std(values, ddof=1)))


@pytest.mark.parametrize("tasks", [30, 100])
def test_the_interval_covers_the_truth_as_often_as_it_says(tasks: int) -> None:
    """2,000 evaluations of simulated tasks: how hard a task is varies, and 75 queries show it with noise."""
    generator = np.random.default_rng(0)
    accuracy = generator.binomial(75, generator.beta(8, 2, (2000, tasks))) / 75
    covered = 0
    for values in accuracy:
        _, _, low, high = mean_interval(values.tolist())
        covered += low <= 0.8 <= high
    assert 0.93 <= covered / 2000 <= 0.97


def test_one_task_has_no_spread() -> None:
    assert mean_interval([0.7]) == (0.7, 0.0, 0.7, 0.7)


def test_the_worst_tenth_is_a_mean() -> None:
    summary = over_tasks([n / 20 for n in range(20)])
    assert summary["worst_decile"] == pytest.approx((0 + 1 / 20) / 2)
    assert over_tasks([n / 20 for n in range(20)], lower_is_better=True)["worst_decile"] == pytest.approx(
        0.925
    )
    assert set(summary) == {"mean", "std", "ci95", "worst_decile"}


@pytest.mark.parametrize(("tasks", "worst"), [(1, 1), (4, 1), (14, 1), (16, 2), (100, 10)])
def test_the_worst_tenth_is_at_least_one_task(tasks: int, worst: int) -> None:
    values = [float(n) for n in range(tasks)]
    assert over_tasks(values[::-1])["worst_decile"] == pytest.approx((worst - 1) / 2)


def test_repeats_of_the_same_classes_count_as_one() -> None:
    values = [0.1, 0.3, 0.5, 0.9, 0.2, 0.4]
    assert set_means(values, 2) == pytest.approx([0.2, 0.7, 0.3])
    assert set_means([1, 2], 2) == [1.5]
    assert {type(mean) for mean in set_means(values, 3)} == {float}
    found = over_tasks(values, repeats=2)
    mean, std, *_ = mean_interval(values)
    _, _, low, high = mean_interval([0.2, 0.7, 0.3])
    assert (found["mean"], found["std"]) == (mean, std)
    assert found["ci95"] == pytest.approx([low, high])


def test_without_repeats_every_task_counts() -> None:
    values = [0.1, 0.3, 0.5, 0.9]
    _, _, low, high = mean_interval(values)
    assert over_tasks(values)["ci95"] == pytest.approx([low, high])


def test_two_tasks_have_a_spread() -> None:
    mean, std, low, high = mean_interval([0.0, 1.0])
    assert (mean, std) == pytest.approx((0.5, 0.5**0.5))
    assert (low, high) == pytest.approx((0.5 - 12.7062 / 2, 0.5 + 12.7062 / 2), abs=1e-4)

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, precision_score, recall_score

from fewshot.metrics import mean_interval, over_tasks, rejection_auroc, task_scores


def test_scores_are_scikit_learns_macro_averages() -> None:
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 4, 50).tolist(), generator.integers(0, 4, 50).tolist()
    scores = task_scores(labels, predicted, way=4)
    assert scores.accuracy == pytest.approx(np.mean(np.array(labels) == np.array(predicted)))
    for name, theirs in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert getattr(scores, name) == pytest.approx(theirs(labels, predicted, average="macro"))


def test_a_class_that_is_never_predicted_counts_as_zero() -> None:
    scores = task_scores([0, 0, 1, 1], [0, 0, 0, 0], way=2)
    assert (scores.accuracy, scores.precision, scores.recall) == (0.5, 0.25, 0.5)
    assert scores.f1 == pytest.approx(1 / 3)


def test_a_class_of_the_episode_without_queries_counts_as_zero() -> None:
    assert task_scores([0, 1], [0, 1], way=4).recall == 0.5


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
    assert set(summary) == {"mean", "std", "ci95", "worst_decile"}


def test_rejection_counts_the_pairs_in_the_right_order() -> None:
    known, strange = [0.9, 0.5, 0.7, 0.5], [0.5, 0.2, 0.8]
    pairs = [(a > b) + 0.5 * (a == b) for a in known for b in strange]
    assert rejection_auroc(known, strange) == pytest.approx(sum(pairs) / len(pairs))
    assert rejection_auroc([1.0], [0.0]) == 1
    assert rejection_auroc([0.0], [1.0]) == 0


def test_a_task_that_diverged_is_sure_of_nothing() -> None:
    assert rejection_auroc([float("nan"), 0.5], [0.2]) == 0.5

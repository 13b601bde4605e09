from itertools import product

import numpy as np
import pytest
from scipy import stats

from fewshot.metrics.intervals import mean_interval
from fewshot.metrics.paired import corrected, holm, paired


def test_wins_ties_and_losses_are_counted_task_by_task() -> None:
    found = paired([0.9, 0.5, 0.5, 0.2], [0.5, 0.5, 0.4, 0.3], seed=0)
    assert (found["wins"], found["ties"], found["losses"]) == (2, 1, 1)
    mean, std, low, high = mean_interval([0.9 - 0.5, 0.0, 0.5 - 0.4, 0.2 - 0.3])
    assert (found["mean"], found["std"], found["ci95"]) == (mean, std, [low, high])


def test_few_tasks_are_tested_over_all_signs() -> None:
    ours = np.random.default_rng(0).normal(0.4, 1, 8)
    sums = [abs(np.dot(signs, ours)) for signs in product((-1, 1), repeat=8)]
    expected = np.mean([value >= abs(ours.sum()) - 1e-12 for value in sums])
    assert paired(ours.tolist(), [0.0] * 8, seed=0)["p"] == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2])
def test_many_tasks_agree_with_students_test(shift: float) -> None:
    """With 300 normal differences both tests ask the same question."""
    ours = np.random.default_rng(1).normal(shift, 1, 300)
    p = paired(ours.tolist(), [0.0] * 300, seed=0)["p"]
    assert p == pytest.approx(stats.ttest_1samp(ours, 0).pvalue, abs=0.015)
    assert paired(ours.tolist(), [0.0] * 300, seed=0)["p"] == p


def test_a_clear_difference_is_never_surer_than_the_draws_allow() -> None:
    assert paired([0.9] * 50, [0.1] * 50, seed=0)["p"] == pytest.approx(2 / 10_000)


def test_two_tasks_that_differ_are_tested() -> None:
    """Of four ways to turn the signs two are as extreme."""
    assert paired([0.3, 0.2, 0.5], [0.0, 0.0, 0.5], seed=0)["p"] == 0.5
    assert paired([1.3, 1.2], [0.3, 0.2], seed=0)["p"] == 0.5


def test_fourteen_tasks_are_drawn_thirteen_are_counted() -> None:
    """2^13 ways are fewer than 9,999 draws, 2^14 are more."""
    counted, drawn = ({paired([0.1] * n, [0.0] * n, seed)["p"] for seed in range(3)} for n in (13, 14))
    assert counted == {2 / 2**13}
    assert drawn <= {2 * n / 10_000 for n in range(1, 12)}
    assert 2 / 2**14 not in drawn


def test_ties_decide_nothing() -> None:
    ours, ties = np.random.default_rng(0).normal(0.4, 1, 8).tolist(), [0.5] * 5
    with_ties, without = paired(ours + ties, [0.0] * 8 + ties, seed=0), paired(ours, [0.0] * 8, seed=0)
    assert with_ties["p"] == without["p"]


def test_another_seed_draws_other_signs() -> None:
    ours = np.random.default_rng(1).normal(0.1, 1, 40).tolist()
    first, again, other = (paired(ours, [0.0] * 40, seed)["p"] for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert other == pytest.approx(first, abs=0.03)


@pytest.mark.parametrize("difference", [[0.0, 0.0, 0.0], [0.3], [0.3, 0.0, 0.0]])
def test_without_two_tasks_that_differ_nothing_is_known(difference: list[float]) -> None:
    assert paired(difference, [0.0] * len(difference), seed=0)["p"] == 1


def test_chance_alone_is_seldom_taken_for_more() -> None:
    """Of 400 comparisons without a difference 5% are below 0.05, give or take three deviations."""
    generator = np.random.default_rng(2)
    draws = generator.integers(-2, 3, (400, 12)) / 5  # ties among them, as accuracies have
    below = np.mean([paired(row.tolist(), [0.0] * 12, seed=0)["p"] < 0.05 for row in draws])
    assert below < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_values_of_other_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired([0.1, 0.2], [0.1], seed=0)


def test_holm_takes_the_smallest_times_their_number() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_each_score_is_corrected_over_the_methods() -> None:
    rows = {"one": {"f1": {"p": 0.01}, "recall": {"p": 0.5}}, "two": {"f1": {"p": 0.2}, "recall": {"p": 0.1}}}
    found = corrected(rows)
    assert [found[name]["f1"]["p_holm"] for name in rows] == pytest.approx([0.02, 0.2])
    assert [found[name]["recall"]["p_holm"] for name in rows] == pytest.approx([0.5, 0.2])
    assert corrected({}) == {}
    assert found["one"]["f1"] == {"p": 0.01, "p_holm": pytest.approx(0.02)}
    assert "p_holm" not in rows["one"]["f1"]


def test_holm_never_turns_the_order() -> None:
    """0.02 times 3, then 0.021 times 2 would be less than what is before it."""
    assert holm([0.5, 0.021, 0.02]) == pytest.approx([0.5, 0.06, 0.06])
    assert holm([0.5]) == [0.5]


def test_a_score_is_corrected_over_the_methods_that_have_it() -> None:
    """The second method's text was not scored: there is one p of BLEU, and two of the accuracy."""
    ours, theirs = [0.4, 0.7, 0.9, 0.2, 0.8], [0.1, 0.5, 0.2, 0.1, 0.5]
    found = paired(ours, theirs, seed=0)
    rows = corrected({"one": {"accuracy": found, "bleu": found}, "two": {"accuracy": found}})
    assert rows["one"]["bleu"]["p_holm"] == found["p"] < 0.1
    assert [own["accuracy"]["p_holm"] for own in rows.values()] == [2 * found["p"]] * 2
    assert {name: list(own) for name, own in rows.items()} == {
        "one": ["accuracy", "bleu"],
        "two": ["accuracy"],
    }

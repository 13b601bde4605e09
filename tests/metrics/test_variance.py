import numpy as np
import pytest

from fewshot.metrics.variance import _components, variance_split

CLASSES, SUPPORT = 0.05, 0.03  # standard deviations


def simulated(seed: int, sizes: list[int], queries: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Accuracies around 0.8 that vary by the set of classes, by the draw, and by chance of the queries."""
    generator = np.random.default_rng(seed)
    sets = [number for number, size in enumerate(sizes) for _ in range(size)]
    hard = generator.normal(0, CLASSES, len(sizes))[sets]
    true = np.clip(0.8 + hard + generator.normal(0, SUPPORT, len(sets)), 0, 1)
    return generator.binomial(queries, true) / queries, np.full(len(sets), queries), sets


@pytest.mark.parametrize("sizes", [[4] * 150, [2, 6, 1] * 60], ids=["equal", "unequal"])
def test_the_parts_are_those_that_were_put_in(sizes: list[int]) -> None:
    splits = [variance_split(*simulated(seed, sizes, 75)) for seed in range(60)]
    found = np.array([[s.classes, s.support, s.queries] for s in splits if s is not None])
    assert len(found) == 60
    expected = [CLASSES**2, SUPPORT**2, (0.8 * 0.2 - CLASSES**2 - SUPPORT**2) / 75]
    errors = found.std(0, ddof=1) / 60**0.5
    assert np.abs(found.mean(0) - expected).max() < 4 * errors.max()
    assert found.mean(0) == pytest.approx(expected, rel=0.12)


def test_they_add_up_to_the_variance_within_and_between() -> None:
    accuracy, queries, sets = simulated(0, [5] * 200, 25)
    split = variance_split(accuracy, queries, sets)
    assert split is not None
    assert (split.sets, split.repeats) == (200, 5)
    between, within = _components(accuracy, np.array(sets))
    assert split.classes == pytest.approx(between)
    assert split.support + split.queries == pytest.approx(within)
    assert between + within == pytest.approx(accuracy.var(ddof=1), rel=0.01)


def test_groups_of_equal_size_have_the_textbook_estimate() -> None:
    values = np.array([1.0, 2.0, 4.0, 6.0, 8.0, 9.0])
    group = np.array([0, 0, 1, 1, 2, 2])
    within = (0.5 + 2.0 + 0.5) / 3
    between = (np.var([1.5, 5.0, 8.5], ddof=1) * 2 - within) / 2
    assert _components(values, group) == pytest.approx((between, within))


def test_no_spread_at_all_is_all_zero() -> None:
    split = variance_split(np.ones(30), np.full(30, 10), [n // 5 for n in range(30)])
    assert split is not None
    assert (split.classes, split.support, split.queries) == (0, 0, 0)


@pytest.mark.parametrize(
    ("sets", "queries"),
    [
        (list(range(40)), 10),
        ([0] * 40, 10),
        ([n // 2 for n in range(40)], 1),
        ([n // 2 for n in range(38)], 10),
    ],
    ids=["no set twice", "one set", "one query", "few again"],
)
def test_where_it_cannot_be_told(sets: list[int], queries: int) -> None:
    accuracy = np.random.default_rng(0).random(len(sets))
    assert variance_split(accuracy, np.full(len(sets), queries), sets) is None


def test_the_chance_of_the_queries_by_hand() -> None:
    """Two sets of eleven draws, four queries each: accuracy (1 - accuracy) / 3 on average."""
    accuracy = np.array([0.5, 0.75] * 11)
    split = variance_split(accuracy, np.full(22, 4), ["a"] * 11 + ["b"] * 11)
    assert split is not None
    assert (split.sets, split.repeats) == (2, 11)
    chance = (0.25 + 0.1875) / 2 / 3
    within = _components(accuracy, np.array([0] * 11 + [1] * 11))[1]
    assert within < chance
    assert (split.queries, split.support) == (within, 0)
    wide = variance_split(np.array([0.25, 0.75] * 11), np.full(22, 20), ["a"] * 11 + ["b"] * 11)
    assert wide is not None
    assert wide.queries == pytest.approx(0.1875 / 19)


@pytest.mark.parametrize(("draws", "told"), [(10, False), (11, True), (12, True)])
def test_twenty_further_draws_are_enough(draws: int, told: bool) -> None:
    accuracy = np.random.default_rng(0).random(2 * draws)
    found = variance_split(accuracy, np.full(2 * draws, 2), ["a", "b"] * draws)
    assert (found is not None) is told


def test_groups_of_unequal_size_by_hand() -> None:
    """Sizes 1, 2, 3; the mean square within is (0.5 + 2) / 3, the mean is 4."""
    values = np.array([7.0, 1.0, 2.0, 3.0, 5.0, 6.0])
    within = (0.5 + (25 + 1 + 16) / 9) / 3
    square = (9 + 2 * 2.5**2 + 3 * (2 / 3) ** 2) / 2
    size = (6 - 14 / 6) / 2
    assert _components(values, np.array([0, 1, 1, 2, 2, 2])) == pytest.approx(
        ((square - within) / size, within)
    )

import math
import re

import pytest
from scipy import stats

from fewshot.metrics.needed import episodes_needed


@pytest.mark.parametrize("std", [0.01, 0.1, 0.25])
@pytest.mark.parametrize("half_width", [0.05, 0.01, 0.0025])
def test_it_is_the_first_number_that_is_enough(std: float, half_width: float) -> None:
    count = 2
    while stats.t.ppf(0.975, count - 1) * std / math.sqrt(count) > half_width:
        count += 1
    assert episodes_needed(std, half_width) == count


def test_without_spread_two_are_enough() -> None:
    assert episodes_needed(0.0, 0.01) == 2


@pytest.mark.parametrize(
    ("std", "half_width"),
    [(0.1, 0.0), (0.1, -1.0), (-0.1, 0.1), (math.inf, 0.1), (math.nan, 0.1), (0.1, math.nan)],
)
def test_what_has_no_answer_is_refused(std: float, half_width: float) -> None:
    said = re.escape(f"no number of episodes gives +- {half_width} at a deviation of {std}")
    with pytest.raises(ValueError, match=f"^{said}$"):
        episodes_needed(std, half_width)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 9, 100])
def test_a_width_that_is_just_reached_is_enough(count: int) -> None:
    width = float(stats.t.ppf(0.975, count - 1)) * 1.0 / math.sqrt(count)
    assert episodes_needed(1.0, width) == count
    assert episodes_needed(1.0, width * (1 - 1e-9)) == count + 1


def test_more_than_anyone_draws_are_not_counted_further() -> None:
    assert 10**9 <= episodes_needed(1.0, 1e-9) <= 2 * 10**9

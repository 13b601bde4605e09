import math

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
    ("std", "half_width"), [(0.1, 0.0), (0.1, -1.0), (-0.1, 0.1), (math.nan, 0.1), (0.1, math.nan)]
)
def test_what_has_no_answer_is_refused(std: float, half_width: float) -> None:
    with pytest.raises(ValueError, match="no number of episodes"):
        episodes_needed(std, half_width)

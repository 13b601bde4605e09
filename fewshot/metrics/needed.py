"""How many episodes an evaluation needs."""

import math

from scipy import stats

MOST = 10**9


def episodes_needed(std: float, half_width: float) -> int:
    """The fewest episodes n whose 95% Student interval of a mean is not wider than +- `half_width`.

        t(0.975, n - 1) * std / sqrt(n) <= half_width

    Args:
        std: of the score over episodes (n - 1), as measured.
        half_width: of the interval that is wanted, in the unit of `std`.

    Returns:
        At least 2, since one episode has no interval.

    Raises:
        ValueError: a half width that is not positive, or a deviation that is none.
    """
    if not half_width > 0 or not 0 <= std < math.inf:
        raise ValueError(f"no number of episodes gives +- {half_width} at a deviation of {std}")

    def enough(count: int) -> bool:
        return bool(stats.t.ppf(0.975, count - 1) * std / math.sqrt(count) <= half_width)

    low, high = 1, 2  # of `low` episodes it is known that they are too few
    while not enough(high) and high < MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

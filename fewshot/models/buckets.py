"""Which rows to pad to a common length, and how sizes are rounded."""

from collections.abc import Sequence
from itertools import pairwise


def rounded(size: int, parts: int) -> int:
    """A size or the next larger one of a few, so that shapes recur and their kernels are made once.

    Args:
        size: what has to fit.
        parts: how many sizes there are from a power of two to the next; at most 1 / parts is added.
    """
    step = max(1, (1 << size.bit_length() - 1) // parts) if size else 1
    return -(-size // step) * step


def cut_buckets(lengths: Sequence[int], overhead: int = 256) -> list[list[int]]:
    """Groups rows by length so that padding plus a fixed cost for each bucket is least.

    Dynamic programming over the distinct lengths: `cost(b) = cost(a) + overhead + L_b * rows(a, b]`.

    Args:
        lengths: tokens of each row.
        overhead: what one more bucket costs, in tokens.

    Returns:
        Row numbers of each bucket, shortest rows first; ties keep the order of the rows.
    """
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    ends = [
        n + 1 for n in range(len(order)) if n + 1 == len(order) or lengths[order[n]] != lengths[order[n + 1]]
    ]
    best: dict[int, tuple[int, int]] = {0: (0, 0)}
    for end in ends:
        longest = lengths[order[end - 1]]
        best[end] = min(
            (cost + overhead + longest * (end - start), start) for start, (cost, _) in best.items()
        )
    cuts = [len(order)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    cuts.reverse()
    return [order[start:end] for start, end in pairwise(cuts)]

import itertools

import pytest

from fewshot.models.buckets import cut_buckets, rounded


def cost(groups: list[list[int]], lengths: list[int], overhead: int) -> int:
    return sum(overhead + len(group) * max(lengths[row] for row in group) for group in groups)


@pytest.mark.parametrize(
    "lengths", [[5], [3, 3, 3], [1, 9, 2, 8, 3], [4, 20, 4, 21, 60, 5], [7, 1, 7, 1, 30]]
)
def test_the_buckets_are_the_cheapest(lengths: list[int]) -> None:
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    every_cut = itertools.product([False, True], repeat=len(order) - 1)
    best = min(cost([[order[i] for i in part] for part in parts(cuts)], lengths, 10) for cuts in every_cut)
    assert cost(cut_buckets(lengths, overhead=10), lengths, 10) == best


def parts(cuts: tuple[bool, ...]) -> list[list[int]]:
    groups = [[0]]
    for position, cut in enumerate(cuts, 1):
        if cut:
            groups.append([])
        groups[-1].append(position)
    return groups


def test_every_row_stands_in_one_bucket() -> None:
    lengths = [3, 50, 4, 51, 3, 90]
    assert sorted(itertools.chain(*cut_buckets(lengths))) == list(range(6))


@pytest.mark.parametrize("parts", [4, 16])
def test_rounded_sizes_are_few_and_not_much_larger(parts: int) -> None:
    sizes = range(1, 4097)
    found = [rounded(size, parts) for size in sizes]
    assert all(size <= after <= size * (1 + 1 / parts) for size, after in zip(sizes, found, strict=True))
    assert found == sorted(found)
    assert [rounded(size, parts) for size in found] == found
    assert len({after for after in found if 1024 < after <= 2048}) == parts


def test_small_sizes_are_what_they_are() -> None:
    assert [rounded(size, 16) for size in range(32)] == list(range(32))

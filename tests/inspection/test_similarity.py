import itertools

import pytest
import torch
from torch import Tensor

from fewshot.inspection.similarity import cka


def by_definition(first: Tensor, second: Tensor) -> float:
    """HSIC as the mean over all quadruples of different rows (Song et al., 2007), without the closed form."""
    k, ell = first @ first.T, second @ second.T
    n = len(first)
    quads = list(itertools.permutations(range(n), 4))
    total = sum(k[i, j] * (ell[i, j] + ell[q, r] - 2 * ell[i, q]) for i, j, q, r in quads)
    return float(total) / len(quads)


def random(seed: int, rows: int, width: int) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_is_the_mean_over_quadruples() -> None:
    first, second = random(0, 7, 4), random(1, 7, 3)
    second[:, :2] += first[:, :2]
    own = by_definition(first, first) * by_definition(second, second)
    assert cka(first, second) == pytest.approx(by_definition(first, second) / own**0.5, rel=1e-9)


def test_a_turned_shifted_and_scaled_representation_is_the_same() -> None:
    rows = random(2, 12, 5)
    turn, _ = torch.linalg.qr(random(3, 5, 5))
    assert cka(rows, rows) == pytest.approx(1)
    assert cka(rows, 1000 + 3 * rows @ turn) == pytest.approx(1, abs=1e-6)


def test_unrelated_representations_are_about_zero_however_few_the_rows() -> None:
    values = [cka(random(n, 8, 64), random(1000 + n, 8, 64)) for n in range(200)]
    found = torch.tensor([value for value in values if value is not None])
    assert len(found) > 150  # of white noise, some estimates of its own variance are below 0
    assert abs(found.median().item()) < 0.1


def test_where_it_is_not_defined() -> None:
    assert cka(random(0, 3, 4), random(1, 3, 4)) is None  # too few rows
    assert cka(torch.ones(6, 4), random(1, 6, 4)) is None  # all alike

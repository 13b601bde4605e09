"""How alike the representations of the queries are before and after adaptation, layer by layer.

Kornblith, Norouzi, Lee, Hinton: Similarity of Neural Network Representations Revisited, ICML 2019, in the
estimate without bias, since a task has few queries: Nguyen, Raghu, Kornblith: Do Wide and Deep Networks
Learn the Same Things?, ICLR 2021; Song, Smola, Gretton, Borgwardt, Bedo: Supervised Feature Selection via
Dependence Estimation, ICML 2007. Raghu, Raghu, Bengio, Vinyals: Rapid Learning or Feature Reuse?, ICLR 2020,
read it: near 1, adaptation reuses the features; far below, it learns others.

    K = X X^T, L = Y Y^T with their diagonals at 0, n rows,
    HSIC(K, L) = (tr(K L) + 1'K1 1'L1 / ((n-1)(n-2)) - 2 / (n-2) 1'K L 1) / (n (n-3))
    CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))
"""

import torch
from torch import Tensor

FEWEST = 4  # rows that the estimate needs


def cka(before: Tensor, after: Tensor) -> float | None:
    """Linear CKA of two representations of the same rows, (n, H) and (n, G).

    1 for the same up to rotation and scale, about 0 for unrelated ones, for which it may be negative. None
    for fewer than 4 rows, and where the rows of one are all alike.
    """
    if len(before) < FEWEST:
        return None
    grams = [_gram(each.double()) for each in (before, after)]
    own = [_hsic(each, each) for each in grams]
    if min(own) <= 0:
        return None
    return float(_hsic(*grams) / (own[0] * own[1]) ** 0.5)


def _gram(rows: Tensor) -> Tensor:
    # centring changes nothing but rounding: the estimate does it, from numbers that are far larger without
    rows = rows - rows.mean(0)
    scale = rows.square().sum(1).mean().sqrt()
    rows = rows / scale if scale > 0 else rows
    return (rows @ rows.T).fill_diagonal_(0)


def _hsic(first: Tensor, second: Tensor) -> float:
    n = len(first)
    ones = torch.ones(n, dtype=first.dtype, device=first.device)
    sums = first @ ones, second @ ones
    trace = (first * second).sum()
    both = sums[0].sum() * sums[1].sum() / ((n - 1) * (n - 2))
    return float((trace + both - 2 / (n - 2) * sums[0] @ sums[1]) / (n * (n - 3)))

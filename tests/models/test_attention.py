from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fewshot.models.attention import packed_attention
from fewshot.models.packing import Packing

Tensors = tuple[Tensor, Tensor, Tensor]
LENGTHS = (7, 150, 3, 152, 9, 400)  # three groups
KINDS = {"both": (False, None), "causal": (True, None), "window": (True, 4), "long window": (True, 160)}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_kernel = pytest.mark.parametrize("kernel", ["eager", "sdpa"])
grouped = pytest.mark.parametrize("key_heads", [4, 2, 1])


class Layer(nn.Module):
    """An attention layer as far as it is asked for."""

    def __init__(self, is_causal: bool) -> None:
        super().__init__()
        self.is_causal = is_causal


def tensors(lengths: tuple[int, ...], heads: int, key_heads: int, size: int) -> Tensors:
    """Query, key and value, of what fills up as well."""
    packing, generator = Packing(lengths), torch.Generator().manual_seed(0)

    def one(count: int) -> Tensor:
        shape = (1, count, packing.tokens + packing.filling, size)
        return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()

    return one(heads), one(key_heads), one(key_heads)


def packed(
    kernel: str,
    kind: str,
    lengths: tuple[int, ...],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scaling: float | None = None,
) -> Tensor:
    causal, window = KINDS[kind]
    found, weights = packed_attention(
        kernel, Layer(causal), query, key, value, None, Packing(lengths), scaling, window
    )
    assert weights is None
    assert found.shape[:2] == (1, query.shape[2])
    assert bool(found.isfinite().all())
    return found[:, : sum(lengths)]


def row_by_row(
    kind: str, lengths: tuple[int, ...], query: Tensor, key: Tensor, value: Tensor, scale: float
) -> Tensor:
    """Every row alone and every head with its own copy of the keys."""
    causal, window = KINDS[kind]
    shared = query.shape[1] // key.shape[1]
    rows = []
    for q, k, v in zip(
        *(torch.split(each[0, :, : sum(lengths)], list(lengths), dim=1) for each in (query, key, value)),
        strict=True,
    ):
        seen = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool)
        if causal:
            seen = seen.tril()
        if window:
            seen = seen.triu(1 - window)
        heads = []
        for head in range(len(q)):
            scores = (scale * q[head] @ k[head // shared].T).masked_fill(~seen, -torch.inf)
            heads.append(scores.softmax(-1) @ v[head // shared])
        rows.append(torch.stack(heads, dim=1))
    return torch.cat(rows)[None]


@grouped
@every_kind
@every_kernel
def test_packed_attention_is_attention_row_by_row(kernel: str, kind: str, key_heads: int) -> None:
    assert len(Packing(LENGTHS).groups) == 3
    assert Packing(LENGTHS).filling
    qkv = tensors(LENGTHS, 4, key_heads, 8)
    found = packed(kernel, kind, LENGTHS, *qkv)
    assert found.shape == (1, sum(LENGTHS), 4, 8)
    assert torch.allclose(found, row_by_row(kind, LENGTHS, *qkv, scale=8**-0.5), atol=1e-12)


@grouped
@every_kind
@every_kernel
def test_its_derivative_is_that_of_attention_row_by_row(kernel: str, kind: str, key_heads: int) -> None:
    qkv = tensors(LENGTHS, 4, key_heads, 8)
    found, plain = packed(kernel, kind, LENGTHS, *qkv), row_by_row(kind, LENGTHS, *qkv, scale=8**-0.5)
    weight = torch.randn(found.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours, theirs = (torch.autograd.grad((each * weight).sum(), qkv) for each in (found, plain))
    assert all(torch.allclose(a, b, atol=1e-11) for a, b in zip(ours, theirs, strict=True))
    assert all(
        bool((each[:, :, sum(LENGTHS) :] == 0).all()) for each in ours
    )  # of what fills up: none at all


@every_kernel
def test_the_factor_of_the_scores_can_be_given(kernel: str) -> None:
    qkv = tensors((5, 3), 2, 2, 4)
    found = packed(kernel, "both", (5, 3), *qkv, scaling=0.3)
    assert torch.allclose(found, row_by_row("both", (5, 3), *qkv, scale=0.3), atol=1e-12)
    assert not torch.allclose(found, packed(kernel, "both", (5, 3), *qkv), atol=1e-3)


@pytest.mark.parametrize("key_heads", [2, 1])
@pytest.mark.parametrize(("kind", "lengths"), [("both", (2, 4)), ("causal", (4, 1)), ("window", (2, 6))])
def test_eager_attention_has_two_derivatives(kind: str, lengths: tuple[int, ...], key_heads: int) -> None:
    (group,) = Packing(lengths).groups
    assert group.slots * group.length > sum(lengths)  # there is padding

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return packed("eager", kind, lengths, query, key, value)

    qkv = tensors(lengths, 2, key_heads, 2)
    assert torch.autograd.gradcheck(attend, qkv)
    assert torch.autograd.gradgradcheck(attend, qkv)


@pytest.mark.parametrize("name", ["softcap", "s_aux", "head_mask", "position_bias"])
def test_scores_changed_in_ways_not_known_are_refused(name: str) -> None:
    qkv = tensors((2, 3), 1, 1, 2)
    options: dict[str, Any] = {name: 1.0}
    with pytest.raises(NotImplementedError) as error:
        packed_attention("eager", Layer(False), *qkv, None, Packing((2, 3)), **options)
    assert str(error.value) == f"attention with ['{name}']"


def test_a_window_in_both_directions_is_refused() -> None:
    qkv = tensors((2, 3), 1, 1, 2)
    with pytest.raises(NotImplementedError) as error:
        packed_attention("eager", Layer(False), *qkv, None, Packing((2, 3)), sliding_window=2)
    assert str(error.value) == "attention with a window in both directions"


def test_a_mask_of_somebody_else_is_refused() -> None:
    qkv = tensors((2, 3), 1, 1, 2)
    with pytest.raises(NotImplementedError, match="attention with"):
        packed_attention("eager", Layer(False), *qkv, torch.zeros(1, 1, 5, 5), Packing((2, 3)))


def test_what_transformers_passes_on_beside_changes_nothing() -> None:
    qkv = tensors((2, 3), 1, 1, 2)
    found, _ = packed_attention(
        "eager", Layer(False), *qkv, None, Packing((2, 3)), dropout=0.0, softcap=None, is_causal=None
    )
    assert torch.equal(found, packed("eager", "both", (2, 3), *qkv))

"""Attention over packed rows: the one place of a backbone that has to tell rows apart.

Written in operations that can be differentiated twice (kernel 'eager'), or with torch's fused
kernels ('sdpa'), which have a first derivative only.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewshot.models.packing import Packing, Places

UNKNOWN = ("softcap", "s_aux", "head_mask", "position_bias")  # change the scores in ways not known here


class _ToPlaces(torch.autograd.Function):
    """Pieces to their places. Its derivative is the way back, which is cheaper than adding up by index."""

    @staticmethod
    def forward(ctx: Any, pieces: Tensor, places: Places) -> Tensor:
        ctx.places = places
        return pieces.index_select(0, places.piece)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        # nothing of a loss depends on a padded place, so what is left out here is 0
        return from_places(grad, ctx.places), None


class _FromPlaces(torch.autograd.Function):
    """Places to their pieces, the padded ones dropped."""

    @staticmethod
    def forward(ctx: Any, placed: Tensor, places: Places) -> Tensor:
        ctx.places = places
        return placed.index_select(0, places.place)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return to_places(grad, ctx.places) * ctx.places.real.to(grad.dtype), None


def to_places(pieces: Tensor, places: Places) -> Tensor:
    """Pieces (N * heads, d) at their places (P, d); at a padded one stands some other piece."""
    placed: Tensor = _ToPlaces.apply(pieces, places)  # type: ignore[no-untyped-call]
    return placed


def from_places(placed: Tensor, places: Places) -> Tensor:
    """What stands at the places (P, d) back as pieces (N * heads, d)."""
    pieces: Tensor = _FromPlaces.apply(placed, places)  # type: ignore[no-untyped-call]
    return pieces


def packed_attention(
    kernel: str,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    packing: Packing,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention within each row of a packed batch, as transformers calls it.

    Args:
        kernel: 'eager' or 'sdpa'.
        module: the attention layer; its `is_causal` says what a token sees.
        query: (1, heads, N, d).
        key: (1, key heads, N, d); fewer heads than those of `query` are shared by groups of them.
        value: likewise.
        attention_mask: None, since the packing says what is seen.
        packing: which tokens make a row.
        scaling: factor of the scores; by default 1 / sqrt(d).
        sliding_window: how far back a token sees, in causal layers.
        others: what else transformers passes on; nothing that changes the scores may be among it.

    Returns:
        (1, N, heads, d), and None for the weights.

    Raises:
        NotImplementedError: a kind of attention that is not known here.
    """
    causal = bool(getattr(module, "is_causal", False))
    wanted = [name for name in UNKNOWN if others.get(name) is not None]
    wanted += ["attention_mask"] if attention_mask is not None else []
    if wanted or (sliding_window is not None and not causal):
        raise NotImplementedError(f"attention with {wanted or 'a window in both directions'}")
    heads, size = query.shape[1], query.shape[3]
    scale = size**-0.5 if scaling is None else scaling
    # the softmax is taken in float32 at least: more exact, and faster than in bfloat16 on a CPU
    wide = torch.promote_types(query.dtype, torch.float32) if kernel == "eager" else query.dtype
    masks = packing.masks(causal, sliding_window, wide)
    blocks = [_blocks(tensor, heads, packing) for tensor in (query, key, value)]
    attended = [
        _attend(kernel, q, k, v, mask, scale).reshape(-1, size)
        for q, k, v, mask in zip(*blocks, masks, strict=True)
    ]
    out = torch.cat(attended) if len(attended) > 1 else attended[0]
    return from_places(out, packing.places(heads)).view(1, -1, heads, size), None


def _blocks(tensor: Tensor, heads: int, packing: Packing) -> list[Tensor]:
    """(1, h, N, d) -> for each group (slots, heads, length, d)."""
    own, size = tensor.shape[1], tensor.shape[3]
    pieces = tensor.transpose(1, 2).reshape(-1, size)
    placed = to_places(pieces, packing.places(own))
    shapes = [(group.slots, own, group.length, size) for group in packing.groups]
    blocks = torch.split(placed, [slots * own * length for slots, _, length, _ in shapes])
    return [
        block.view(shape).repeat_interleave(heads // own, dim=1) if heads != own else block.view(shape)
        for block, shape in zip(blocks, shapes, strict=True)
    ]


def _attend(kernel: str, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    if kernel == "sdpa":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    scores = (query @ key.mT).to(mask.dtype) * scale + mask
    return torch.softmax(scores, dim=-1).to(value.dtype) @ value

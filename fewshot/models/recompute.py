"""Blocks whose activations are computed again in the backward pass: memory for a third more work.

Chen, Xu, Zhang, Guestrin: Training Deep Nets with Sublinear Memory Cost, 2016,
https://arxiv.org/abs/1604.06174.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

Surroundings = Callable[[], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def recomputed(blocks: Iterable[nn.Module], again: Surroundings) -> Iterator[None]:
    """Inside, a block keeps its input alone for the backward pass.

    Args:
        blocks: of a model that is called inside.
        again: what has to surround a block while it is computed once more.
    """

    def lean(forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if not torch.is_grad_enabled():
                return forward(*args, **kwargs)
            return checkpoint(
                forward,
                *args,
                use_reentrant=False,
                preserve_rng_state=False,
                context_fn=lambda: (contextlib.nullcontext(), again()),
                **kwargs,
            )

        return run

    with contextlib.ExitStack() as changed:
        for block in blocks:
            own = block.__dict__.get("forward")
            block.forward = lean(block.forward)
            changed.callback(_put_back, block, own)
        yield


def _put_back(block: nn.Module, own: Any) -> None:
    """The forward pass that it had: its class's, or one of its own."""
    del block.__dict__["forward"]
    if own is not None:
        block.forward = own

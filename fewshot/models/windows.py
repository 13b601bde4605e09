"""Sliding windows of attention, made narrow enough to be seen in short rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

WINDOW = "sliding_window"  # as transformers calls it, in configurations and in layers


@contextmanager
def narrowed(model: nn.Module, tokens: int) -> Iterator[None]:
    """Lets every layer that has a window see so many tokens back, for a while.

    Some models keep the window in their layers, which say it to the attention; others in the mask alone,
    which packed rows do not have. Only a row that is longer than the window tells them apart.
    """
    config = getattr(model, "config", None)
    holders: list[Any] = [each for each in (config, getattr(config, "text_config", None)) if each is not None]
    holders += model.modules()
    own = {n: each.__dict__[WINDOW] for n, each in enumerate(holders) if _has_window(each)}
    try:
        for number in own:
            setattr(holders[number], WINDOW, tokens)
        yield
    finally:
        for number, window in own.items():
            setattr(holders[number], WINDOW, window)


def _has_window(holder: Any) -> bool:
    return isinstance(vars(holder).get(WINDOW), int)

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
    windows = [getattr(holder, WINDOW, None) for holder in holders]
    own = {number: window for number, window in enumerate(windows) if _is_one(window)}
    try:
        for number in own:
            setattr(holders[number], WINDOW, tokens)
        yield
    finally:
        for number, window in own.items():
            setattr(holders[number], WINDOW, window)


def _is_one(window: Any) -> bool:
    return isinstance(window, int) and not isinstance(window, bool) and window > 0

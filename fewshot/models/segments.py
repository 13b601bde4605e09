"""Which tokens belong to which task."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """Runs of tokens, one a task, in the order of the tasks.

    Args:
        counts: tokens of each task, padding included where it is computed; T numbers.
    """

    counts: tuple[int, ...]
    _owners: dict[tuple[torch.dtype, torch.device], Tensor] = field(default_factory=dict, compare=False)

    @property
    def balanced(self) -> bool:
        """Every task has as many tokens."""
        return len(set(self.counts)) == 1

    def owner(self, like: Tensor) -> Tensor:
        """1 where a token (n) is of a task (T), (n, T, 1), in the type and on the device of `like`."""
        key = (like.dtype, like.device)
        if key not in self._owners:
            task = torch.repeat_interleave(torch.arange(len(self.counts)), torch.tensor(self.counts))
            self._owners[key] = torch.nn.functional.one_hot(task, len(self.counts)).to(like)[..., None]
        return self._owners[key]

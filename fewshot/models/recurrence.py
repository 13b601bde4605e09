"""An LSTM over the rows of T tasks, each with its own weights: the arithmetic of `lstm.py`."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fewshot.models.batch import TaskBatch


@dataclass(frozen=True)
class WordInputs:
    """Rows of words.

    Args:
        ids: word numbers, (R, L) int64, padded with 0.
        lengths: words of each row, (R,).
        dropped: what dropout leaves of each row's last state, (R, H); None for all of it.
    """

    ids: Tensor
    lengths: Tensor
    dropped: Tensor | None = None


def slots(batch: TaskBatch) -> tuple[Tensor, int]:
    """Where each row stands in a grid of T tasks times M rows, flat (R,), and M."""
    width = int(batch.rows.max())
    order = torch.argsort(batch.task, stable=True)
    first = torch.cumsum(batch.rows, 0) - batch.rows
    place = torch.empty_like(batch.task)
    place[order] = torch.arange(len(batch.task), device=batch.task.device)
    return batch.task * width + place - first[batch.task], width


def last_state(gates: Tensor, weights: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
    """The state after the last word of every row: (T, M, L, 4H) -> (T, M, H).

    Args:
        gates: what the words ask of the four gates.
        weights: `lstm.state` (T, 4H, H), the way from one state to the next.
        lengths: words of each row, (T, M).
    """
    state = gates.new_zeros(*gates.shape[:2], gates.shape[-1] // 4)
    cell = state
    for position in range(gates.shape[2]):
        now = gates[:, :, position] + state @ weights["lstm.state"].mT
        enter, forget, new, leave = now.chunk(4, dim=-1)
        after = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(new)
        inside = (position < lengths)[..., None]
        state = torch.where(inside, torch.sigmoid(leave) * torch.tanh(after), state)
        cell = torch.where(inside, after, cell)
    return state


def dropout_masks(inputs: WordInputs, share: float, hidden: int, seed: int, step: int) -> Tensor:
    """What dropout leaves of each row's last state, (R, H): 0, or 1 / (1 - share).

    A row's mask follows from its words and the outer step alone, so that it is the same however the
    meta-batch is cut, and when a step is begun anew.

    Args:
        inputs: the rows, on the host.
        share: that is dropped.
        hidden: H.
        seed: of the model.
        step: the outer step.
    """
    rows = zip(inputs.ids.tolist(), inputs.lengths.tolist(), strict=True)
    kept = [_uniform(hidden, f"{seed} {step} {ids[:length]}") >= share for ids, length in rows]
    return torch.stack(kept) / (1 - share)


def _uniform(size: int, key: str) -> Tensor:
    return torch.rand(size, generator=torch.Generator().manual_seed(zlib.crc32(key.encode())))

"""Greedy decoding of T adapted tasks together: rows of all tasks in one batch, layers read the stack."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fewshot.models.body import Body
from fewshot.models.likelihood import NextToken
from fewshot.models.segments import Segments
from fewshot.models.stack import Stack

AT_ONCE = 64  # rows, where nothing else is said
DROP = 0.5  # rows that have ended are left out once they are so many of all


@dataclass
class _Row:
    """A row that is being written."""

    number: int
    task: int
    most: int
    tokens: list[int]


class Decoder:
    """Writes what is likeliest, token by token, with the keys and values of what was read kept.

    Args:
        body: the frozen model with its adapter.
        following: its head.
        ends: the tokens that end an answer.
        pad: the token that fills up on the left.
    """

    def __init__(self, body: Body, following: NextToken, ends: Collection[int], pad: int) -> None:
        self._body, self._next, self._ends, self._pad = body, following, ends, pad

    def write(
        self,
        stack: Stack,
        prompts: Sequence[Sequence[int]],
        task: Sequence[int],
        most: Sequence[int],
        at_once: int,
    ) -> list[list[int]]:
        """The tokens after each prompt, up to the end, which is left out.

        Args:
            stack: of T tasks.
            prompts: token numbers of each of R rows.
            task: of each row.
            most: tokens that are written at most, of each row.
            at_once: rows that are read at once; 0 for the decoder's own choice.
        """
        order = sorted(range(len(prompts)), key=lambda row: (task[row], len(prompts[row])))
        size = at_once or AT_ONCE
        found: dict[int, list[int]] = {}
        with torch.no_grad():
            for first in range(0, len(order), size):
                rows = [_Row(n, task[n], most[n], []) for n in order[first : first + size]]
                self._write(stack, rows, [prompts[row.number] for row in rows])
                found |= {row.number: [t for t in row.tokens if t not in self._ends] for row in rows}
        return [found[number] for number in range(len(prompts))]

    def _write(self, stack: Stack, rows: Sequence[_Row], prompts: Sequence[Sequence[int]]) -> None:
        """Adds to the tokens of rows that are in the order of their tasks."""
        ids, mask = self._padded(prompts)
        tasks = stack.tasks or rows[-1].task + 1
        writing, cache = list(rows), None
        while writing:
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            segments = _segments(writing, ids.shape[1], tasks)
            states, cache = self._body.follow(stack, segments, ids, mask, positions, cache)
            following = self._next.best(states[:, -1]).tolist()
            going = [n for n, token in enumerate(following) if self._goes_on(writing[n], token)]
            if not going:
                return
            ids = torch.tensor(following, device=ids.device)[:, None]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            if len(going) <= DROP * len(writing):
                kept = torch.tensor(going, device=ids.device)
                cache.batch_select_indices(kept)
                ids, mask, writing = ids[kept], mask[kept], [writing[n] for n in going]

    def _goes_on(self, row: _Row, token: int) -> bool:
        """Takes the token, unless the row has ended; whether another may follow."""
        if len(row.tokens) < row.most and (not row.tokens or row.tokens[-1] not in self._ends):
            row.tokens.append(token)
        return len(row.tokens) < row.most and row.tokens[-1] not in self._ends

    def _padded(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Token numbers and mask, (R, L), filled up on the left."""
        length = max(map(len, prompts))
        ids = [[self._pad] * (length - len(each)) + list(each) for each in prompts]
        mask = [[0] * (length - len(each)) + [1] * len(each) for each in prompts]
        return torch.tensor(ids, device=self._body.device), torch.tensor(mask, device=self._body.device)


def _segments(rows: Sequence[_Row], length: int, tasks: int) -> Segments:
    counts = [0] * tasks
    for row in rows:
        counts[row.task] += length
    return Segments(tuple(counts))

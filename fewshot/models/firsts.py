"""Which texts were computed together, for a training that goes on with the same bits.

The last bits of a text's frozen states depend on the texts beside it in a batch. A process that goes on with
a training computes what is remembered again, so it has to do so in the same company.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from fewshot.models.branches import BRANCHES, row_of
from fewshot.models.inputs import Tokens

Batch = Sequence[Tokens]


class Firsts:
    """Batches of rows as they were computed, one after another; those of which something is remembered."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []

    def add(self, batch: Batch) -> None:
        """Rows that were computed together."""
        self._batches.append(batch)

    def state(self) -> dict[str, Tensor]:
        """All of it as int32; {} where there is none.

        `batches` (B,): rows of each batch; `rows` (R,): tokens of each row; `ids` and in some models
        `types` (N,): the tokens; `branches` (R,): how many `sizes` each row has (0: it does not branch).
        """
        rows = [row for batch in self._batches for row in batch]
        if not rows:
            return {}
        sizes = [row.get(BRANCHES, ()) for row in rows]
        found: dict[str, Sequence[int]] = {
            "batches": [len(batch) for batch in self._batches],
            "rows": [len(row["input_ids"]) for row in rows],
            "ids": [number for row in rows for number in row["input_ids"]],
            "branches": [len(each) for each in sizes],
            "sizes": [size for each in sizes for size in each],
        }
        if "token_type_ids" in rows[0]:
            found["types"] = [number for row in rows for number in row["token_type_ids"]]
        return {name: torch.tensor(numbers, dtype=torch.int32) for name, numbers in found.items()}


def batches_of(state: Mapping[str, Tensor]) -> Iterator[Batch]:
    """The batches of which `Firsts.state` was taken."""
    if not state:
        return
    ids, lengths = state["ids"], state["rows"].tolist()
    types = torch.split(state["types"], lengths) if "types" in state else [None] * len(lengths)
    sizes = torch.split(state["sizes"], state["branches"].tolist())
    given = zip(torch.split(ids, lengths), types, (each.tolist() for each in sizes), strict=True)
    rows = [row_of(*each) for each in given]
    for first, last in pairwise([0, *accumulate(state["batches"].tolist())]):
        yield rows[first:last]

import pytest
import torch

from fewshot.models.inputs import Bucket, Packed, Tokens, in_buckets, packed
from fewshot.models.packing import LEAST


def row(*ids: int) -> Tokens:
    return {"input_ids": list(ids), "attention_mask": [1] * len(ids)}


ROWS = [row(*[n] * (1 + n % 40)) for n in range(90)]
TASK = [n % 3 for n in range(90)]


@pytest.mark.parametrize("at_once", [None, 7])
def test_rows_come_back_in_their_order(at_once: int | None) -> None:
    padded = in_buckets(ROWS, TASK, 3, at_once)
    assert len(padded.parts) > 1
    firsts = torch.cat([part.ids[:, 0] for part in padded.parts])
    assert firsts[padded.restore].tolist() == list(range(90))
    whole = packed(ROWS, TASK, 3, at_once)
    pooled = torch.cat([part.pool(part.ids[..., None].double(), "mean") for part in whole.parts])
    assert pooled[whole.restore, 0].tolist() == list(range(90))


def test_no_part_has_more_rows_than_asked() -> None:
    for inputs in (in_buckets(ROWS, TASK, 3, 7), packed(ROWS, TASK, 3, 7)):
        rows = [
            len(part.packing.lengths) if isinstance(part, Packed) else len(part.ids) for part in inputs.parts
        ]
        assert max(rows) == 7
        assert sum(rows) == 90


def test_padding_is_masked() -> None:
    inputs = in_buckets([row(5, 6), row(7)], [0, 0], 1)
    (bucket,) = inputs.parts
    assert isinstance(bucket, Bucket)
    assert bucket.ids.tolist() == [[5, 6], [7, 0]]
    assert bucket.mask.tolist() == [[1, 1], [1, 0]]
    assert (inputs.tokens, inputs.padded_tokens, inputs.attention_tokens) == (3, 4, 4)


def test_packed_rows_have_no_padding() -> None:
    inputs = packed([row(5, 6), row(7)], [0, 0], 1)
    (part,) = inputs.parts
    assert isinstance(part, Packed)
    assert part.ids.tolist() == [[5, 6, 7]]
    assert part.packing.positions.tolist() == [0, 1, 0]
    assert part.packing.row.tolist() == [0, 0, 1]
    assert (inputs.tokens, inputs.padded_tokens, inputs.attention_tokens) == (3, 3, 2 * LEAST)


def test_parts_hold_their_rows_in_task_order() -> None:
    rows = [row(n, 2) for n in range(4)]
    (bucket,) = in_buckets(rows, [2, 0, 2, 0], 3).parts
    assert bucket.segments.counts == (4, 0, 4)
    assert bucket.ids[:, 0].tolist() == [1, 3, 0, 2]
    (part,) = packed(rows, [2, 0, 2, 0], 3).parts
    assert part.segments.counts == (4, 0, 4)
    assert part.ids.tolist() == [[1, 2, 3, 2, 0, 2, 2, 2]]


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [[2.0], [7.0]]), ("cls", [[1.0], [7.0]])])
def test_packed_and_padded_rows_are_pooled_alike(pooling: str, expected: list[list[float]]) -> None:
    rows = [row(1, 2, 3), row(7)]
    for inputs in (in_buckets(rows, [0, 0], 1), packed(rows, [0, 0], 1)):
        (part,) = inputs.parts
        assert part.pool(part.ids[..., None].double(), pooling).tolist() == expected  # type: ignore[arg-type]

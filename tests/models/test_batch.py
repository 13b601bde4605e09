import itertools

import pytest
import torch

from fewshot.models.batch import TaskBatch, task_losses
from fewshot.models.encode import bucketed, cut_buckets


def cost(groups: list[list[int]], lengths: list[int], overhead: int) -> int:
    return sum(overhead + len(group) * max(lengths[row] for row in group) for group in groups)


@pytest.mark.parametrize(
    "lengths", [[5], [3, 3, 3], [1, 9, 2, 8, 3], [4, 20, 4, 21, 60, 5], [7, 1, 7, 1, 30]]
)
def test_the_buckets_are_the_cheapest(lengths: list[int]) -> None:
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    every_cut = itertools.product([False, True], repeat=len(order) - 1)
    best = min(cost([[order[i] for i in part] for part in parts(cuts)], lengths, 10) for cuts in every_cut)
    assert cost(cut_buckets(lengths, overhead=10), lengths, 10) == best


def parts(cuts: tuple[bool, ...]) -> list[list[int]]:
    groups = [[0]]
    for position, cut in enumerate(cuts, 1):
        if cut:
            groups.append([])
        groups[-1].append(position)
    return groups


def test_every_row_stands_in_one_bucket() -> None:
    lengths = [3, 50, 4, 51, 3, 90]
    assert sorted(itertools.chain(*cut_buckets(lengths))) == list(range(6))


def test_rows_come_back_in_their_order() -> None:
    rows = [{"input_ids": [n] * (1 + n % 40), "attention_mask": [1] * (1 + n % 40)} for n in range(90)]
    inputs = bucketed(rows, [n // 30 for n in range(90)], 3)
    assert len(inputs.buckets) > 1
    firsts = torch.cat([bucket.ids[:, 0] for bucket in inputs.buckets])
    assert firsts[inputs.restore].tolist() == list(range(90))


def test_padding_is_masked() -> None:
    inputs = bucketed(
        [{"input_ids": [5, 6], "attention_mask": [1, 1]}, {"input_ids": [7], "attention_mask": [1]}],
        [0, 0],
        1,
    )
    (bucket,) = inputs.buckets
    assert bucket.ids.tolist() == [[5, 6], [7, 0]]
    assert bucket.mask.tolist() == [[1, 1], [1, 0]]
    assert (inputs.tokens, inputs.padded_tokens) == (3, 4)


def test_buckets_hold_their_rows_in_task_order() -> None:
    rows = [{"input_ids": [n, 2], "attention_mask": [1, 1]} for n in range(4)]
    (bucket,) = bucketed(rows, [2, 0, 2, 0], 3).buckets
    assert bucket.counts == (2, 0, 2)
    assert bucket.ids[:, 0].tolist() == [1, 3, 0, 2]


def test_means_are_over_each_tasks_own_rows() -> None:
    batch = TaskBatch(None, torch.zeros(3, dtype=torch.int64), torch.tensor([0, 1, 1]), (2, 2))
    assert batch.mean_by_task(torch.tensor([1.0, 2.0, 4.0])).tolist() == [1.0, 3.0]


def test_losses_ignore_classes_that_a_task_lacks() -> None:
    batch = TaskBatch(None, torch.tensor([0, 2]), torch.tensor([0, 1]), (2, 3))
    scores = torch.zeros(2, 3).masked_fill(batch.absent[batch.task], -torch.inf)
    assert torch.allclose(task_losses(scores, batch), torch.tensor([2.0, 3.0]).log())

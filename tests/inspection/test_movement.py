import itertools

import pytest
import torch

from fewshot.inspection.movement import Movement
from fewshot.models.stack import Stack


def stacks(seed: int, tasks: int = 4) -> tuple[Stack, Stack]:
    """Before and after: every task starts at the same matrix, and moves it in its own way."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(3, 5, generator=generator).expand(tasks, 3, 5)
    zero = torch.zeros(tasks, 2)
    moves = torch.randn(tasks, 3, 5, generator=generator)
    return Stack({"a": start, "b": zero, "still": start}), Stack(
        {"a": start + moves, "b": zero + 1.0, "still": start}
    )


def test_norms_and_shared_directions_are_those_of_the_pairs() -> None:
    before, after = stacks(0)
    movement = Movement()
    movement.add(before, after)
    rows = {row["tensor"]: row for row in movement.rows()}
    assert list(rows) == ["a", "b"]  # what nothing moves is left out
    moves = (after["a"] - before["a"]).flatten(1).double()
    cosines = [
        torch.cosine_similarity(moves[t], moves[u], dim=0) for t, u in itertools.combinations(range(4), 2)
    ]
    assert rows["a"]["shared"] == pytest.approx(sum(c.item() for c in cosines) / 6, abs=1e-6)
    assert rows["a"]["norm"]["mean"] == pytest.approx(moves.norm(dim=1).mean().item())
    assert rows["a"]["norm"]["std"] == pytest.approx(moves.norm(dim=1).std().item())
    relative = moves.norm(dim=1) / before["a"].flatten(1).norm(dim=1)
    assert rows["a"]["relative"] == pytest.approx(relative.mean().item())
    assert rows["b"]["shared"] == pytest.approx(1)  # all move alike
    assert rows["b"]["relative"] is None  # from 0


def test_tasks_that_come_in_parts_are_tasks_that_come_together() -> None:
    before, after = stacks(1)
    whole, parts = Movement(), Movement()
    whole.add(before, after)
    for part in (slice(0, 1), slice(1, 4)):
        parts.add(*(Stack({name: each[part] for name, each in stack.items()}) for stack in (before, after)))
    for ours, theirs in zip(whole.rows(), parts.rows(), strict=True):
        assert ours["tensor"] == theirs["tensor"]
        assert ours["norm"]["mean"] == pytest.approx(theirs["norm"]["mean"])
        assert ours["shared"] == pytest.approx(theirs["shared"])


def test_heads_of_other_ways_share_no_direction() -> None:
    movement = Movement()
    for way in (2, 3):
        start = torch.zeros(2, way, 4)
        movement.add(Stack({"head.weight": start}), Stack({"head.weight": start + 1}))
    (row,) = movement.rows()
    assert row["shared"] is None
    assert row["norm"]["mean"] == pytest.approx((8**0.5 + 12**0.5) / 2)


def test_one_task_has_no_pair() -> None:
    movement = Movement()
    movement.add(Stack({"a": torch.zeros(1, 2)}), Stack({"a": torch.ones(1, 2)}))
    assert movement.rows()[0]["shared"] is None

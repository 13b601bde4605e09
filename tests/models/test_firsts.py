"""Which texts were computed together is written down whole."""

from collections.abc import Sequence

import pytest
import torch
from conftest import LearnerMaker

from fewshot.models.batch import Rows
from fewshot.models.branches import BRANCHES
from fewshot.models.cache import Cache
from fewshot.models.firsts import Firsts, batches_of
from fewshot.models.inputs import Tokens


def row(ids: Sequence[int], types: Sequence[int] | None = None, sizes: Sequence[int] = ()) -> Tokens:
    found = {"input_ids": list(ids), "attention_mask": [1] * len(ids)}
    found |= {} if types is None else {"token_type_ids": list(types)}
    return found | ({BRANCHES: list(sizes)} if sizes else {})


PLAIN = [[row([5, 6, 7]), row([8])], [row([9, 10])]]
TYPED = [[row([5, 6, 7], [0, 0, 1])], [row([8], [0]), row([9, 1], [0, 1])]]
BRANCHED = [[row([5, 6, 7, 8], sizes=[2, 1, 1]), row([5, 6])], [row([1, 2, 3], sizes=[1, 2])]]


@pytest.mark.parametrize("batches", [PLAIN, TYPED, BRANCHED], ids=["plain", "typed", "branched"])
def test_batches_come_back(batches: list[list[Tokens]]) -> None:
    firsts = Firsts()
    for batch in batches:
        firsts.add(batch)
    state = firsts.state()
    assert {value.dtype for value in state.values()} == {torch.int32}
    assert list(batches_of(state)) == batches


def test_nothing_is_nothing() -> None:
    assert Firsts().state() == {}
    assert list(batches_of({})) == []


TEXTS = ["a short one", "one that has a few more words in it", "a third", "a short one", "the last"]


@pytest.mark.parametrize(
    ("cache", "rows"),
    [
        (Cache(), 4),
        (Cache(projections=False), 4),
        (Cache(memory_gb=0), 0),  # nothing is remembered
        (Cache(alone=True), 0),  # no company
    ],
)
def test_a_learner_goes_on_with_what_another_one_remembered(
    cache: Cache, rows: int, make_learner: LearnerMaker
) -> None:
    learner, other = make_learner(cache=cache), make_learner(cache=cache)
    batches = [learner.batch(Rows(texts, [0] * len(texts), [0] * len(texts), [2])) for texts in split(TEXTS)]
    for batch in batches:
        learner.place(batch)
    tensors, facts = learner.state()
    assert (tensors["rows"].numel() if tensors else 0) == rows
    other.load(tensors, facts)
    again, _ = other.state()
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], value) for name, value in tensors.items())
    if rows:
        misses = other._body.frozen.cache.misses
        other.place(batches[0])
        assert other._body.frozen.cache.misses == misses


def split(texts: list[str]) -> list[list[tuple[str, None]]]:
    """In two batches."""
    return [[(text, None) for text in part] for part in (texts[:3], texts[3:])]

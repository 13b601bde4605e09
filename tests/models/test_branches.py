"""Prompts that are read once for all class names: the same scores as one sequence a name."""

import pytest
import torch
from causal_models import KINDS
from conftest import CausalMaker

from fewshot.models.batch import Rows
from fewshot.models.branches import folded, key_of, numbers, positions, row_of, sizes_of, unfolded
from fewshot.models.causal import LoraCausal
from fewshot.models.lora_settings import Lora
from fewshot.models.packing import Packing

NAMES = ("lost or stolen card", "lost", "lost or found things", "exchange rate")
TEXTS = [("where is my card", None), ("how much", None), ("why was it declined yesterday evening", None)]
SIZES = (3, 2, 0, 1)


def rows(tasks: int) -> Rows:
    texts = [text for _ in range(tasks) for text in TEXTS]
    task = [t for t in range(tasks) for _ in TEXTS]
    names = (NAMES, NAMES[:3])[:tasks]
    return Rows(texts, [n % 3 for n in range(len(texts))], task, [len(each) for each in names], names=names)


Scored = tuple[torch.Tensor, dict[str, torch.Tensor], int]


def scores(learner: LoraCausal, branching: bool, tasks: int = 2) -> Scored:
    """Scores, the gradient of the adapter, and how many tokens are read."""
    asking = learner._asking
    assert asking._branching == learner._body.packs
    asking._branching = branching
    batch = learner.place(learner.batch(rows(tasks)))
    asking._branching = learner._body.packs
    stack = learner.start_body(tasks)
    values = {name: value.detach().requires_grad_() for name, value in stack.items()}
    found = learner.features(type(stack)(values), batch)
    gradients = torch.autograd.grad(found.square().sum(), list(values.values()))
    return found, dict(zip(values, gradients, strict=True)), batch.inputs.asked.text.tokens


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "gemma2"])
@pytest.mark.parametrize("layers", ["all", "last:1"])
def test_scores_and_gradients_are_those_of_one_sequence_a_name(
    kind: str, layers: str, make_causal: CausalMaker
) -> None:
    learner = make_causal(kind, lora=Lora(modules=("all-linear",), layers=layers))
    (once, ours, fewer), (each, theirs, more) = (scores(learner, branching) for branching in (True, False))
    torch.testing.assert_close(once, each, rtol=1e-4, atol=1e-4)
    largest = max(value.abs().max() for value in theirs.values())
    assert largest > 0
    for name, value in ours.items():
        assert (value - theirs[name]).abs().max() < 1e-4 * largest
    assert fewer < 0.7 * more


def test_a_model_that_is_not_packed_reads_them_one_by_one(make_causal: CausalMaker) -> None:
    learner = make_causal("gemma2")
    assert not learner._body.packs
    assert torch.isfinite(scores(learner, False)[0]).all()


def test_rows_unfold_and_fold() -> None:
    row = {"input_ids": [1, 2, 3, 4, 5, 6], "attention_mask": [1] * 6, "branches": [3, 2, 1]}
    apart = unfolded(row)
    assert [each["input_ids"] for each in apart] == [[1, 2, 3, 4, 5], [1, 2, 3, 6]]
    assert [each["attention_mask"] for each in apart] == [[1] * 5, [1] * 4]
    states = [torch.tensor(each["input_ids"]) for each in apart]
    assert folded(row, states).tolist() == row["input_ids"]
    plain = {"input_ids": [7, 8], "attention_mask": [1, 1]}
    assert unfolded(plain) == [plain]
    assert folded(plain, [torch.tensor([7, 8])]).tolist() == [7, 8]
    assert sizes_of(plain) == (2,)
    assert row_of(torch.tensor([7, 8]), None, ()) == plain
    again = row_of(torch.tensor(row["input_ids"]), None, row["branches"])
    assert again == row
    other = row | {"branches": [3, 1, 2]}
    assert len({key_of(row), key_of(other), key_of(row | {"branches": []})}) == 3


def test_positions_and_numbers() -> None:
    assert positions(SIZES).tolist() == [0, 1, 2, 3, 4, 3]
    assert numbers(SIZES).tolist() == [0, 0, 0, 1, 1, 3]


@pytest.mark.parametrize("window", [None, 2])
def test_a_branch_sees_its_beginning_and_itself(window: int | None) -> None:
    packing = Packing((6, 2), branches=(SIZES, (2,)))
    assert packing.positions[:8].tolist() == [0, 1, 2, 3, 4, 3, 0, 1]
    (mask,) = packing.masks(True, window, torch.float32)
    place, number = positions(SIZES).tolist(), numbers(SIZES).tolist()
    for at in range(6):
        for other in range(6):
            back = place[at] - place[other]
            seen = 0 <= back < (window or 99) and number[other] in (0, number[at])
            assert (mask[0, 0, at, other] == 0) == seen, (at, other)
    again = packing.to(torch.device("meta"))
    assert again.branches == packing.branches

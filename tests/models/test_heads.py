import pytest
import torch
import torch.nn.functional as F

from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import BIAS, HEADS, WEIGHT, PerClassHead, PrototypeHead, SharedHead, prototypes
from fewshot.models.stack import Stack

BATCH = TaskBatch(
    None, torch.tensor([0, 0, 1, 1, 2, 0]), torch.tensor([0, 0, 0, 1, 1, 1]), (2, 3)
)  # task 0: classes 0, 0, 1; task 1: classes 1, 2, 0


def features() -> torch.Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


def test_prototypes_are_unit_means_by_task_and_class() -> None:
    unit = F.normalize(features(), dim=-1)
    found = prototypes(features(), BATCH)
    assert torch.allclose(found[0, 0], F.normalize(unit[[0, 1]].mean(0), dim=-1))
    assert torch.allclose(found[1, 2], unit[4])
    assert torch.equal(found[0, 2], torch.zeros(4))


def test_scores_are_scaled_cosines_plus_a_bias() -> None:
    head = PrototypeHead(4, scale=7.0)
    stack = Stack({WEIGHT: prototypes(features(), BATCH), BIAS: torch.arange(6.0).view(2, 3)})
    scores = head.logits(stack, features(), BATCH)
    cosine = F.cosine_similarity(features()[4], stack[WEIGHT][1, 0], dim=0)
    assert scores[4, 0].item() == pytest.approx(7 * cosine.item() + 3, abs=1e-5)
    assert scores[0, 2].item() == -torch.inf


def test_a_shared_head_cannot_tell_classes_apart_before_adaptation() -> None:
    head = SharedHead(4, scale=1.0)
    torch.nn.init.normal_(head.vector, generator=torch.Generator().manual_seed(0))
    start = head.start(None, BATCH)
    scores = head.logits(Stack(start), features(), BATCH)
    assert torch.allclose(scores[3:], scores[3:, :1].expand(-1, 3))


def test_one_head_says_that_it_is_not_equivariant() -> None:
    assert {name: head.equivariant for name, head in HEADS.items()} == {
        "prototype": True,
        "shared": True,
        "per_class": False,
    }


def test_a_head_with_too_few_vectors() -> None:
    with pytest.raises(InputError) as error:
        PerClassHead(4, scale=1.0, way=2).start(None, BATCH)
    assert str(error.value) == (
        "the head has too few class vectors\n"
        "  where:  model.head: per_class\n"
        "  got:    an episode of 3 ways\n"
        "  needed: at most 2 ways (model.head_ways)\n"
        "  do:     raise model.head_ways, or take the head 'prototype' or 'shared'"
    )

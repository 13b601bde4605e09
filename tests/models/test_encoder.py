from pathlib import Path

import pytest
import torch
from conftest import LearnerMaker, attribute_episodes

from fewshot.algorithms.algorithm import collate, ready
from fewshot.checkpoint import save_tensors
from fewshot.errors import InputError
from fewshot.models.backbone import find_backbone
from fewshot.models.batch import Rows, Text
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import in_shares
from fewshot.models.packing import TOKENS
from fewshot.models.stack import Stack
from fewshot.tasks.family import episodes


def features(learner: LoraEncoder, *texts: Text) -> torch.Tensor:
    return learner.features(Stack({}), learner.place(learner.batch(Rows.of(texts))))


@pytest.mark.data
def test_linear_maps_see_hardly_any_padding_on_banking77(
    make_learner: LearnerMaker, data_folder: Path
) -> None:
    from fewshot.tasks.nway import NWayKShot

    learner = make_learner()
    family = NWayKShot(source=str(data_folder / "banking77"))
    drawn = list(episodes(family, "train", 0, range(40)))
    batches = [collate(learner, drawn[first : first + 4]) for first in range(0, 40, 4)]
    costs = [in_shares(learner.cost(*each)) for each in batches]
    assert all(cost["padding"] < 1 / TOKENS for cost in costs)  # the size is rounded, no more
    assert (
        sum(cost["attention_padding"] for cost in costs) / len(costs) < 0.3
    )  # rows below 16 tokens are padded to 16


def test_padding_does_not_change_features(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    texts = [("short", None), ("a text that is quite a bit longer than the other one", None)]
    with torch.no_grad():
        together = features(learner, *texts)
        alone = [features(learner, text) for text in texts]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_pairs_are_read_as_pairs(make_learner: LearnerMaker) -> None:
    batch = make_learner().batch(Rows.of([("a question", "an answer")]))
    (part,) = batch.inputs.parts
    assert part.types is not None
    assert part.types.unique().tolist() == [0, 1]


def test_long_texts_are_cut(make_learner: LearnerMaker) -> None:
    batch = make_learner(max_length=16).batch(Rows.of(["word " * 100]))
    assert batch.inputs.tokens == 16


def test_pooling_cls_is_the_first_state(make_learner: LearnerMaker) -> None:
    learner = make_learner(pooling="cls")
    batch = learner.place(learner.batch(Rows.of(["one two three"])))
    with torch.no_grad():
        states = learner._body.hidden(Stack({}), batch.inputs.parts[0])
        assert torch.equal(learner.features(Stack({}), batch)[0], states[0, 0])


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_rows_in_parts_have_the_features_and_gradients_of_all_at_once(
    make_learner: LearnerMaker, rows: int
) -> None:
    whole, parts = make_learner().double(), make_learner().double()
    assert parts.limit_rows(rows)
    found = []
    for learner in (whole, parts):
        support, query = ready(learner, attribute_episodes(2) + attribute_episodes(1, way=2, shot=3))
        stack = learner.start(support)
        both = torch.cat([learner.features(stack, batch) for batch in (support, query)])
        weight = torch.linspace(-1, 1, both.numel(), dtype=both.dtype).view_as(both)
        grads = torch.autograd.grad((both * weight).sum(), list(learner.adapter().values()))
        found.append((both.detach(), torch.cat([grad.flatten() for grad in grads])))
    assert len(support.inputs.parts) == -(-len(support.labels) // rows)
    for ours, theirs in zip(*found, strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-12


@pytest.mark.parametrize("name", ["scale", "max_length", "head_ways"])
def test_sizes_must_be_positive(make_learner: LearnerMaker, name: str) -> None:
    with pytest.raises(InputError, match=f"model.{name} is too small"):
        make_learner(**{name: 0})


@pytest.mark.bad_input
def test_texts_longer_than_the_positions_are_refused(make_learner: LearnerMaker, tiny_backbone: str) -> None:
    with pytest.raises(InputError) as error:
        make_learner(max_length=4096)
    assert str(error.value) == (
        "model.max_length is too large\n"
        f"  where:  model.backbone {tiny_backbone}\n"
        "  got:    4096\n"
        "  needed: at most 512, the positions that this backbone has\n"
        "  do:     set model.max_length to 512 or less"
    )


def test_a_backbone_that_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError) as error:
        LoraEncoder(backbone="nobody/no-such-model")
    assert str(error.value) == (
        "the backbone 'nobody/no-such-model' was not found\n"
        "  where:  model.backbone\n"
        "  got:    HF_HUB_OFFLINE is set and it is not in the cache\n"
        "  needed: a folder with a model, 'minilm', or the id of a model that the hub can be asked for\n"
        "  do:     check the spelling and the connection, or download it to a folder first"
    )


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder holds no model"):
        find_backbone(str(tmp_path))


def test_a_folder_with_a_broken_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-type"}')
    with pytest.raises(InputError, match="the folder has no weights"):
        LoraEncoder(backbone=str(tmp_path))
    save_tensors(tmp_path / "model.safetensors", {"weight": torch.zeros(1)})
    with pytest.raises(InputError, match="could not be loaded"):
        LoraEncoder(backbone=str(tmp_path))


def test_attention_is_never_cudnns(make_learner: LearnerMaker) -> None:
    # it makes a plan for every new shape
    learner, seen = make_learner(), list[bool]()
    model = learner.peft.get_base_model()
    model.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cuda.cudnn_sdp_enabled()))  # type: ignore[no-untyped-call]
    support, _ = ready(learner, attribute_episodes(1))
    learner.features(learner.start_body(1), support)
    assert len(seen) > 1  # the frozen states, the features
    assert not any(seen)
    assert torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]

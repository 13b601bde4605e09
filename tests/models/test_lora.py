import json
from pathlib import Path

import peft
import pytest
import torch
import transformers
from conftest import LearnerMaker, attribute_episodes

from fewshot.algorithms.algorithm import ready
from fewshot.errors import InputError
from fewshot.models.batch import Rows, TaskBatch
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora import ADAPTER, low_rank
from fewshot.models.lora_settings import Lora
from fewshot.models.segments import Segments
from fewshot.models.stack import Stack


@pytest.mark.parametrize("joint", [0, 256])
@pytest.mark.parametrize("counts", [(8, 8, 8), (5, 12, 7), (0, 24, 0)])
def test_each_token_meets_the_matrices_of_its_task(
    counts: tuple[int, ...], joint: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewshot.models.lora.JOINT", joint)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 4, 5, generator=generator, dtype=torch.float64)
    down, up = (torch.randn(3, *shape, generator=generator, dtype=x.dtype) for shape in ((2, 5), (7, 2)))
    found = low_rank(x, down, up, Segments(counts))
    assert found.shape == (6, 4, 7)
    tasks = [task for task, count in enumerate(counts) for _ in range(count)]
    for token, result, task in zip(x.view(-1, 5), found.view(-1, 7), tasks, strict=True):
        assert torch.allclose(result, token @ down[task].T @ up[task].T, atol=1e-12)


def rows_alone(model: torch.nn.Module, batch: TaskBatch) -> torch.Tensor:
    """Features of packed rows, one row after another."""
    (part,) = batch.inputs.parts
    rows = part.ids[0, : part.packing.tokens].split(list(part.packing.lengths))
    return torch.cat([model(input_ids=row[None]).last_hidden_state.mean(1) for row in rows])[
        batch.inputs.restore
    ]


def test_each_slice_of_a_stack_is_pefts_own_forward(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    support, _ = ready(learner, attribute_episodes(3))
    generator = torch.Generator().manual_seed(2)
    tensors = {
        name: torch.randn(3, *value.shape, generator=generator) * 0.2
        for name, value in learner.adapter().items()
    }
    stacked = learner.features(Stack(tensors), support)
    for task in range(3):
        with torch.no_grad():
            for name, value in learner.adapter().items():
                value.copy_(tensors[name][task])
            plain = rows_alone(learner.peft.get_base_model(), support)
        rows = support.task == task
        assert torch.allclose(stacked[rows], plain[rows], atol=1e-5)


def test_without_matrices_the_backbone_is_untouched(make_learner: LearnerMaker, tiny_backbone: str) -> None:
    learner = make_learner()
    support, _ = ready(learner, attribute_episodes(1))
    untouched = transformers.AutoModel.from_pretrained(tiny_backbone).eval()
    with torch.no_grad():
        found = learner.features(Stack({}), support)
        assert torch.allclose(found, rows_alone(untouched, support), atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [("all", {0, 1, 2}), ("last:2", {1, 2}), ("first:1", {0}), ("0,2", {0, 2})],
)
def test_layers_are_chosen(make_learner: LearnerMaker, layers: str, numbers: set[int]) -> None:
    names = make_learner(lora=Lora(layers=layers, modules=("query",))).adapter()
    assert {int(name.split(".")[2]) for name in names} == numbers
    assert all(".query." in name for name in names)


def test_only_the_adapter_and_the_head_are_trainable(make_learner: LearnerMaker) -> None:
    learner = make_learner(lora=Lora(rank=4, modules=("query",), layers="last:1"))
    trainable = {name: tuple(p.shape) for name, p in learner.named_parameters() if p.requires_grad}
    assert sorted(trainable.values()) == [(), (4, 32), (32, 4)]


@pytest.mark.parametrize("layers", ["last:4", "last:0", "7", "some", ""])
def test_layers_that_are_not_there_are_refused(make_learner: LearnerMaker, layers: str) -> None:
    with pytest.raises(InputError) as error:
        make_learner(lora=Lora(layers=layers))
    assert str(error.value) == (
        "these layers cannot be adapted\n"
        "  where:  model.lora.layers\n"
        f"  got:    {layers!r}\n"
        "  needed: 'all', 'last:n' or 'first:n' (n from 1 to 3), or numbers up to 2"
    )


def test_an_unknown_module_is_named_with_the_nearest(make_learner: LearnerMaker) -> None:
    with pytest.raises(InputError) as error:
        make_learner(lora=Lora(modules=("qeury",)))
    assert str(error.value) == (
        "the backbone has no linear module 'qeury'\n"
        "  where:  model.lora.modules, BertModel\n"
        "  got:    qeury\n"
        "  needed: names among dense, key, query, value, or auto or all-linear\n"
        "  do:     did you mean 'query'?"
    )


def test_the_same_seed_gives_the_same_matrices(make_learner: LearnerMaker) -> None:
    first, again, other = (make_learner(lora=Lora(seed=seed)).adapter() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT asks by an old name
def test_a_saved_adapter_is_pefts(make_learner: LearnerMaker, tiny_backbone: str, tmp_path: Path) -> None:
    learner = make_learner()
    learner.save_adapter(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    base = transformers.AutoModel.from_pretrained(tiny_backbone)
    loaded = peft.PeftModel.from_pretrained(base, str(tmp_path)).eval()
    ids = torch.tensor([[101, 2023, 2003, 102]])
    with torch.no_grad():
        ours = learner.peft.get_base_model()(input_ids=ids).last_hidden_state
        theirs = loaded(input_ids=ids).last_hidden_state
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_an_adapter_of_another_rank_is_refused(make_learner: LearnerMaker, tmp_path: Path) -> None:
    make_learner().save_adapter(tmp_path)
    with pytest.raises(InputError, match="another rank than"):
        make_learner(lora=Lora(rank=2, layers="last:2")).load_adapter(tmp_path)


def test_the_adapter_of_minilm_names_the_published_model(tmp_path: Path) -> None:
    LoraEncoder().save_adapter(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert config["target_modules"] == sorted(config["target_modules"])


def test_a_saved_adapter_comes_back(make_learner: LearnerMaker, tmp_path: Path) -> None:
    saved = make_learner()
    saved.save_adapter(tmp_path)
    fresh = make_learner(lora=Lora(layers="last:2", seed=9))
    fresh.load_adapter(tmp_path)
    assert all(torch.equal(value, fresh.adapter()[name]) for name, value in saved.adapter().items())


def test_the_layer_is_plain_peft_while_no_stack_is_active(make_learner: LearnerMaker) -> None:
    layer = next(iter(make_learner()._lora.layers.values()))
    x = torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(0))
    a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    expected = layer.base_layer(x) + layer.scaling[ADAPTER] * x @ a.T @ b.T
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_minilm_is_the_published_model() -> None:
    import hashlib

    from fewshot.models.backbone import MINILM_SHA256, find_backbone

    weights = Path(find_backbone("minilm")) / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == MINILM_SHA256


def test_minilm_has_sensible_features() -> None:
    learner = LoraEncoder()
    texts = [("a cat sleeps", None), ("a kitten is sleeping", None), ("the stock market fell", None)]
    batch = learner.place(learner.batch(Rows.of(texts)))
    with torch.no_grad():
        near, far = torch.nn.functional.normalize(learner.features(Stack({}), batch), dim=-1)[0] @ (
            torch.nn.functional.normalize(learner.features(Stack({}), batch), dim=-1)[1:].T
        )
    assert near > far + 0.3

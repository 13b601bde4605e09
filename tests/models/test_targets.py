"""Which linear layers are adapted, in backbones whose layers differ."""

from typing import Any

import pytest
import transformers
from torch import nn

from fewshot.errors import InputError
from fewshot.models.lora import LoraAdapter
from fewshot.models.lora_settings import Lora
from fewshot.models.targets import targets_of

ATTENDS = (1, 3)  # of six layers; the others have a recurrence


class Mixed(nn.Module):
    """Layers of two kinds, as in models that attend in a few of them alone."""

    def __init__(self) -> None:
        super().__init__()
        kinds = ["attention" if number in ATTENDS else "recurrence" for number in range(6)]
        parts = {"attention": ("q_proj", "v_proj", "out"), "recurrence": ("in_proj", "out")}
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: nn.Linear(4, 4) for name in parts[kind]}) for kind in kinds
        )


def found(layers: str, *modules: str) -> list[str]:
    known = {"Mixed": ["q_proj", "in_proj"]}
    return targets_of(Mixed(), Lora(layers=layers, modules=modules, rank=2), known)


@pytest.mark.parametrize(
    ("layers", "modules", "wanted"),
    [
        ("last:1", ("in_proj",), ["layers.5.in_proj"]),
        ("last:3", ("q_proj",), ["layers.3.q_proj"]),
        ("2,3", ("q_proj", "in_proj"), ["layers.2.in_proj", "layers.3.q_proj"]),
        ("last:1", ("auto",), ["layers.5.in_proj"]),
        ("1", ("all-linear",), ["layers.1.q_proj", "layers.1.v_proj", "layers.1.out"]),
    ],
)
def test_modules_of_some_layers(layers: str, modules: tuple[str, ...], wanted: list[str]) -> None:
    assert found(layers, *modules) == wanted


def test_a_router_is_a_linear_map_that_gives_more_and_is_not_adapted() -> None:
    sizes: dict[str, Any] = {
        "vocab_size": 20,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_key_value_heads": 2,
    }
    config = transformers.PhimoeConfig(**sizes, num_hidden_layers=1, num_attention_heads=2)
    model: Any = transformers.PhimoeModel(config)
    assert isinstance(model.layers[0].mlp.router, nn.Linear)
    names = targets_of(model, Lora(modules=("all-linear",), layers="all"), {})
    assert {name.split(".")[-1] for name in names} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    with pytest.raises(InputError, match="no linear module 'router'"):
        targets_of(model, Lora(modules=("router",), layers="all"), {})


def test_a_linear_map_of_a_models_own_is_adapted_where_it_gives_a_product() -> None:
    config = transformers.FalconConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model: Any = transformers.FalconForCausalLM(config)
    adapter = LoraAdapter(model, Lora(modules=("auto",), layers="all", rank=2))
    assert [name.rpartition(".")[-1] for name in adapter.layers] == ["query_key_value"]


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("layers", "modules", "missing", "there"),
    [
        ("last:1", ("q_proj",), "q_proj", "1, 3"),
        ("4,5", ("in_proj", "v_proj"), "v_proj", "1, 3"),
        ("1", ("in_proj",), "in_proj", "0, 2, 4, 5"),
    ],
)
def test_modules_of_other_layers(layers: str, modules: tuple[str, ...], missing: str, there: str) -> None:
    with pytest.raises(InputError) as raised:
        LoraAdapter(Mixed(), Lora(layers=layers, modules=modules, rank=2))
    chosen = {"last:1": "5", "4,5": "4, 5", "1": "1"}[layers]
    assert str(raised.value) == (
        f"no layer that is adapted has the linear module {missing!r}\n"
        "  where:  model.lora.modules and model.lora.layers, Mixed\n"
        f"  got:    layers {chosen}\n"
        f"  needed: one of its layers at least: {there}\n"
        "  do:     choose among these layers, or modules that yours have"
    )


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("known", "words"), [({"Mixed": ["out"]}, ["auto", "all-linear"]), ({}, ["all-linear"])]
)
def test_an_unknown_module_names_the_words_that_work(known: dict[str, list[str]], words: list[str]) -> None:
    with pytest.raises(InputError) as raised:
        targets_of(Mixed(), Lora(modules=("query",)), known)
    assert str(raised.value) == (
        "the backbone has no linear module 'query'\n"
        "  where:  model.lora.modules, Mixed\n"
        "  got:    query\n"
        f"  needed: names among in_proj, out, q_proj, v_proj, or {' or '.join(words)}\n"
        f"  do:     choose one of: {', '.join([*sorted(words), 'in_proj', 'out', 'q_proj', 'v_proj'])}"
    )
    assert all(targets_of(Mixed(), Lora(modules=(word,)), known) for word in words)


@pytest.mark.bad_input
def test_auto_where_peft_has_no_choice() -> None:
    with pytest.raises(InputError) as raised:
        targets_of(Mixed(), Lora(modules=("auto",)), {})
    assert str(raised.value) == (
        "PEFT has no choice of modules for this kind of model\n"
        "  where:  model.lora.modules: auto\n"
        "  got:    Mixed\n"
        "  needed: names among in_proj, out, q_proj, v_proj, or all-linear\n"
        "  do:     --model.lora.modules '[all-linear]', or some of these names"
    )


@pytest.mark.bad_input
def test_layers_without_linear_maps() -> None:
    backbone = Mixed()
    backbone.layers[5] = nn.Identity()
    backbone.layers[4] = nn.Identity()
    backbone.layers.append(nn.ModuleDict({"out": nn.Linear(4, 4)}))
    with pytest.raises(InputError, match="no layer that is adapted has the linear module 'all-linear'"):
        targets_of(backbone, Lora(layers="4,5", modules=("all-linear",)), {})


@pytest.mark.bad_input
def test_no_modules() -> None:
    with pytest.raises(InputError, match="no module is adapted"):
        Lora(modules=())

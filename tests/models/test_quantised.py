"""Frozen weights of 8 and of 4 bits: what is learned on them, and what is refused."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from conftest import CausalMaker

from fewshot.algorithms.algorithm import ready
from fewshot.algorithms.maml import MAML
from fewshot.data.example import Example
from fewshot.errors import InputError
from fewshot.models.backbone import load_backbone
from fewshot.models.causal import LoraCausal
from fewshot.models.compute import Compute, Quantised
from fewshot.tasks.episode import Episode

BITS = [each for each in get_args(Quantised) if each != "none"]
RECORDS = Episode(
    (Example("where is it", "in the kitchen"), Example("please", "yes")), (Example("something", "no"),), ()
)


def compute(bits: Any) -> Compute:
    return Compute(dtype="float32", products="blas", quantised=bits)


@pytest.mark.parametrize("bits", BITS)
def test_the_base_is_quantised_and_what_is_learned_is_not(bits: str, make_causal: CausalMaker) -> None:
    learner = make_causal("wide llama", compute=compute(bits))
    base: Any = next(iter(learner._lora.layers.values())).base_layer.weight
    assert getattr(base, "qdata", base).dtype in (torch.int8, torch.uint8)
    assert {value.dtype for value in learner.adapter().values()} == {torch.float32}
    assert f"{bits} weights" in learner.note()
    assert learner._body.packs


@pytest.mark.parametrize("bits", BITS)
def test_scores_and_gradients_are_close_to_those_of_whole_weights(
    bits: str, make_causal: CausalMaker
) -> None:
    losses, gradients = [], []
    for each in ("none", bits):
        learner = make_causal("wide llama", compute=compute(each))
        support, query = ready(learner, [RECORDS])
        algorithm = MAML(1, 2, 0.1)
        algorithm.prepare(learner)
        step = algorithm.meta_step(learner, support, query)
        found = torch.autograd.grad(step.losses.sum(), list(learner.adapter().values()))
        losses.append(step.losses)
        gradients.append(torch.cat([each.flatten() for each in found]))
    torch.testing.assert_close(*losses, rtol=0.05, atol=0)
    near = {"8bit": 0.9, "4bit": 0.85, "int8": 0.99}[bits]  # NF4 moves a weight by 9% of their size
    assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > near
    assert not torch.equal(*gradients), "it is quantised"


@pytest.mark.parametrize("bits", BITS)
def test_a_step_writes_nothing(
    bits: str,
    make_causal: CausalMaker,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Of all products of a run it would be thousands of lines."""
    learner = make_causal("wide llama", compute=compute(bits))
    support, query = ready(learner, [RECORDS])
    capfd.readouterr()  # the backbone may have been saved just now, with a bar
    losses = MAML(1, 2, 0.1).meta_step(learner, support, query).losses
    found = torch.autograd.grad(losses.sum(), list(learner.adapter().values()))
    assert any(each.abs().sum() > 0 for each in found), "it was taken"
    assert not caplog.messages
    assert capfd.readouterr() == ("", "")


@pytest.mark.bad_input
@pytest.mark.parametrize("bits", BITS)
def test_second_order_is_refused_where_bits_were_asked_for(bits: str, make_causal: CausalMaker) -> None:
    learner = make_causal("wide llama", compute=compute(bits))
    with pytest.raises(InputError) as error:
        MAML(2, 2, 0.1).prepare(learner)
    assert str(error.value) == (
        "second order does not run on a quantised base\n"
        "  where:  model.compute.quantised\n"
        f"  got:    {bits}: products of such weights have no second derivative\n"
        "  needed: none with algorithm.order 2\n"
        "  do:     set model.compute.quantised to none, or algorithm.order to 1"
    )


@pytest.mark.bad_input
def test_second_order_is_refused_on_a_folder_that_is_quantised_already(
    causal_backbone: Callable[[str], str], tmp_path: Path
) -> None:
    model, tokenizer = load_backbone(
        causal_backbone("wide llama"), torch.float32, kind="causal", quantised="8bit"
    )
    for each in (model, tokenizer):
        each.save_pretrained(tmp_path)
    with pytest.raises(InputError) as error:
        MAML(2, 2, 0.1).prepare(LoraCausal(str(tmp_path), compute=compute("none")))
    assert "where:  model.backbone" in str(error.value)
    assert "take a backbone that is not quantised" in str(error.value)


@pytest.mark.parametrize(("bits", "package"), [("4bit", "bitsandbytes"), ("int8", "torchao")])
def test_without_its_library_it_says_what_to_install(
    bits: str, package: str, causal_backbone: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec

    def without(name: str, *more: Any) -> Any:
        return None if name == package else found(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(InputError, match=f"pip install {package}"):
        LoraCausal(causal_backbone("llama"), compute=compute(bits))


def test_rows_that_are_no_whole_blocks_are_refused(make_causal: CausalMaker) -> None:
    with pytest.raises(InputError, match="maps whose inputs are a multiple of 64"):
        make_causal(compute=compute("4bit"))


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(InputError, match="'none', '8bit', '4bit' or 'int8'"):
        compute("2bit")
    with pytest.raises(InputError, match="products of their own"):
        Compute(quantised="8bit", products="onednn")
    with pytest.raises(InputError, match="random weights are not quantised"):
        LoraCausal("shape:llama-tiny", compute=compute("4bit"))

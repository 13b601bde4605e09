import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import LearnerMaker

from fewshot.algorithms.maml import MAML
from fewshot.errors import InputError
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder

QUANTISED = (
    "second order does not run on a quantised base\n"
    "  where:  model.backbone\n"
    "  got:    BertModel with quantised weights: their products have no second derivative\n"
    "  needed: float32 or bfloat16 weights with algorithm.order 2\n"
    "  do:     set algorithm.order to 1, or take a backbone that is not quantised"
)
CHECKPOINTED = (
    "second order does not run through activation checkpointing\n"
    "  where:  model.backbone\n"
    "  got:    a backbone with gradient checkpointing on, which cuts the second derivative off\n"
    "  needed: checkpointing off with algorithm.order 2, which keeps its memory flat by itself\n"
    "  do:     call gradient_checkpointing_disable(), or set algorithm.order to 1"
)
COMPILED = (
    "second order does not run under torch.compile\n"
    "  where:  model.backbone\n"
    "  got:    a compiled backbone, whose backward pass cannot be differentiated\n"
    "  needed: a backbone that is not compiled with algorithm.order 2\n"
    "  do:     leave torch.compile out, or set algorithm.order to 1"
)
IN_PARTS = (
    "a task's rows cannot be taken in parts with second order\n"
    "  where:  model.compute.rows_at_once\n"
    "  got:    2\n"
    "  needed: 0 with algorithm.order 2\n"
    "  do:     set algorithm.order to 1, or lower shot, queries or model.max_length"
)


def base(learner: LoraEncoder) -> Any:
    return learner.peft.get_base_model()


def quantise(learner: LoraEncoder) -> None:
    base(learner).is_quantized = True


def quantise_to_four_bits(learner: LoraEncoder) -> None:
    base(learner).is_loaded_in_4bit = True


def checkpoint(learner: LoraEncoder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # later versions of transformers call it otherwise
        base(learner).gradient_checkpointing_enable({"use_reentrant": True})


def compile_a_block(learner: LoraEncoder) -> None:
    base(learner).encoder.layer[1].compile(backend="eager")


def wrap_a_block(learner: LoraEncoder) -> None:
    layers = base(learner).encoder.layer
    layers[1] = torch.compile(layers[1], backend="eager")


def take_parts(learner: LoraEncoder) -> None:
    assert learner.limit_rows(2)


WRONG: dict[str, tuple[Callable[[LoraEncoder], None], str]] = {
    "quantised": (quantise, QUANTISED),
    "quantised to four bits": (quantise_to_four_bits, QUANTISED),
    "checkpointed": (checkpoint, CHECKPOINTED),
    "compiled": (compile_a_block, COMPILED),
    "wrapped": (wrap_a_block, COMPILED),
    "in parts": (take_parts, IN_PARTS),
}
every_wrong = pytest.mark.parametrize("name", WRONG)


@every_wrong
def test_second_order_refuses_what_has_one_derivative(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner()
    spoil, message = WRONG[name]
    spoil(learner)
    with pytest.raises(InputError) as error:
        MAML(order=2).prepare(learner)
    assert str(error.value) == message
    assert error.value.exit_code == 2


@every_wrong
def test_first_order_takes_it(name: str, make_learner: LearnerMaker) -> None:
    learner = make_learner()
    WRONG[name][0](learner)
    assert MAML(order=1).prepare(learner) == ""


def test_rows_in_parts_that_were_asked_for_are_refused_too(make_learner: LearnerMaker) -> None:
    with pytest.raises(InputError) as error:
        MAML(order=2).prepare(make_learner(compute=Compute(dtype="float32", rows_at_once=2)))
    assert str(error.value) == IN_PARTS


def test_blocks_that_are_computed_again_are_refused(make_learner: LearnerMaker) -> None:
    with pytest.raises(InputError, match="blocks cannot be computed again with second order"):
        MAML(order=2).prepare(make_learner(compute=Compute(dtype="float32", recompute=True)))


def test_a_plain_backbone_is_accepted(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    said = "attention: eager, since second order differentiates it twice"
    assert MAML(order=2).prepare(learner) == said
    checkpoint(learner)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        base(learner).gradient_checkpointing_disable()
    assert MAML(order=2).prepare(learner) == said

"""What MAML is told, what it makes of that before the first step, and what it refuses."""

import math
from typing import Any

import pytest
import torch
from algorithms.regression import Regressor

from fewshot.algorithms.anil import ANIL
from fewshot.algorithms.maml import MAML, key, tensor
from fewshot.errors import InputError
from fewshot.models.lstm import LstmEncoder


def test_rates_begin_where_they_are_told_and_have_names() -> None:
    learner = LstmEncoder(2, 3, 4, 5)
    algorithm = MAML(inner_lr=0.3)
    assert algorithm.prepare(learner) == ""
    names = [*learner.adapter(), "head.weight", "head.bias"]
    assert algorithm.moved(learner) == names
    assert set(algorithm.log_rates) == {name.replace(".", "/") for name in names}
    found = {each.tensor: each for each in algorithm.learned_rates()}
    assert set(found) == set(names)
    for rate in found.values():
        assert rate.step is None
        assert rate.values.item() == pytest.approx(0.3)
        assert not rate.values.requires_grad
    with torch.no_grad():
        algorithm.log_rates["dense/bias"].fill_(math.log(2.0))
    assert {e.tensor: e.values.item() for e in algorithm.learned_rates()}["dense.bias"] == pytest.approx(2)
    parameters = list(algorithm.log_rates.values())
    assert len({parameter.data_ptr() for parameter in parameters}) == len(names)


def test_fixed_rates_are_no_parameters() -> None:
    algorithm = MAML(learn_inner_lr=False)
    algorithm.prepare(LstmEncoder(2, 3, 4, 5))
    assert (list(algorithm.parameters()), algorithm.learned_rates()) == ([], [])


def test_a_name_and_its_key_are_each_others() -> None:
    assert (key("head.a.b"), tensor("head/a/b")) == ("head/a/b", "head.a.b")


class Twice(Regressor):
    """Says what it changes for a second derivative."""

    def require_double_backward(self) -> str:
        return "made smooth"


def test_second_order_asks_for_a_second_derivative() -> None:
    assert [MAML(order).prepare(Twice(4, 1)) for order in (1, 2)] == ["", "made smooth"]


def test_without_arguments_it_is_what_the_help_says() -> None:
    made = MAML()
    assert (made.order, made.inner_steps, made.inner_lr, made.learn_inner_lr) == (1, 3, 0.2, True)
    assert (made.inner_optimiser, made.anchor) == ("sgd", 0)


def test_only_the_first_order_takes_tasks_in_parts() -> None:
    assert MAML(1).takes_parts
    assert not MAML(2).takes_parts


def test_a_model_of_which_nothing_would_move_is_refused() -> None:
    with pytest.raises(InputError) as error:
        ANIL().prepare(Regressor(4, 1))
    assert str(error.value) == (
        "ANIL would adapt nothing of this model\n"
        "  where:  algorithm\n"
        "  got:    Regressor, whose head has nothing that is adapted\n"
        "  needed: an algorithm that adapts the adapter too, such as MAML"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": 0}, "unknown order\n  where:  algorithm.order\n  got:    0\n  needed: 1 or 2"),
        ({"order": 3}, "unknown order\n  where:  algorithm.order\n  got:    3\n  needed: 1 or 2"),
        (
            {"inner_steps": -1},
            "negative number of steps\n  where:  algorithm.inner_steps\n  got:    -1\n  needed: 0 or more",
        ),
        (
            {"inner_lr": 0.0},
            "the inner rate is not positive\n  where:  algorithm.inner_lr\n  got:    0.0\n  needed: above 0",
        ),
        (
            {"inner_lr": math.nan},
            "the inner rate is not positive\n  where:  algorithm.inner_lr\n  got:    nan\n  needed: above 0",
        ),
        (
            {"inner_optimiser": "rprop"},
            "unknown optimiser\n  where:  algorithm.inner_optimiser\n  got:    rprop\n"
            "  needed: 'sgd' or 'adam'",
        ),
        (
            {"anchor": -0.5},
            "the penalty is negative\n  where:  algorithm.anchor\n  got:    -0.5\n  needed: 0 or more",
        ),
        (
            {"anchor": math.nan},
            "the penalty is negative\n  where:  algorithm.anchor\n  got:    nan\n  needed: 0 or more",
        ),
    ],
)
def test_what_cannot_be_is_said(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        MAML(**arguments)
    assert str(error.value) == message

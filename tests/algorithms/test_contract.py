"""Every algorithm and baseline is held to the contract, on a transformer and on an LSTM."""

from collections.abc import Callable

import pytest
from conftest import LearnerMaker

from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.algorithms import ALGORITHMS, BASELINES, IN_PROMPTS
from fewshot.models.learner import Learner
from fewshot.models.lstm import LstmEncoder
from fewshot.testing import CONTRACT, check_algorithm

ALL: dict[str, Callable[..., Algorithm]] = {**ALGORITHMS, **BASELINES}
EVERY = {name: made for name, made in ALL.items() if name not in IN_PROMPTS}
# where the default rate is made for pretrained features, one for random ones
RATES = {"MAML": 0.01, "ANIL": 0.01, "BOIL": 0.01, "MetaSGD": 0.01, "MAMLPlusPlus": 0.01, "ProtoMAML": 0.01}
RATES |= {
    "MAMLAdam": 1e-3,
    "MetaCurvature": 0.01,
    "IMAML": 0.01,
    "Reptile": 0.01,
    "fine-tune": 1e-3,
    "MultiTask": 1e-3,
}


def maker(name: str, factor: float = 1.0) -> Callable[[], Algorithm]:
    options = {"inner_lr": factor * RATES[name]} if name in RATES else {}
    return lambda: EVERY[name](**options)


@pytest.mark.parametrize("check", CONTRACT)
@pytest.mark.parametrize("name", EVERY)
def test_on_a_transformer(name: str, check: str, make_learner: LearnerMaker) -> None:
    CONTRACT[check](maker(name), make_learner)


@pytest.mark.parametrize("check", CONTRACT)
@pytest.mark.parametrize("name", EVERY)
def test_on_an_lstm(name: str, check: str) -> None:
    CONTRACT[check](maker(name, 0.1), small_lstm)


@pytest.mark.parametrize("head", ["shared", "per_class"])
@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name in RATES and name != "BOIL"])
def test_from_other_heads(name: str, head: str, make_learner: LearnerMaker) -> None:
    check_algorithm(maker(name), lambda: make_learner(head=head))


def small_lstm() -> Learner:
    return LstmEncoder(embedding=8, hidden=12, features=10, rows=64)

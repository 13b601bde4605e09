"""Meta-parameters averaged over the outer steps."""

import pytest
import torch
from conftest import LearnerMaker
from torch import nn

from fewshot.algorithms.prototypes import ProtoNet
from fewshot.average import Average
from fewshot.errors import InputError
from fewshot.evaluation import Evaluation
from fewshot.outer import Training, Validation
from fewshot.tasks.attributes import Attributes
from fewshot.training import Trainer


def averaged(decay: float, values: list[float]) -> float:
    parameter = nn.Parameter(torch.tensor(0.0))
    average = Average({"x": parameter}, decay)
    for value in values:
        parameter.data.fill_(value)
        average.update()
    with average.in_place():
        found = parameter.item()
    assert parameter.item() == torch.tensor(values[-1]).item(), "its own value is back"
    return found


def test_without_decay_the_average_is_the_latest_value() -> None:
    assert averaged(0.0, [0.1, 0.7, 0.3]) == torch.tensor(0.3).item()


def test_the_first_steps_weigh_alike_and_then_fall_off() -> None:
    assert averaged(0.9, [1.0, 2.0, 3.0]) == pytest.approx(2.0)
    assert averaged(0.5, [1.0, 2.0, 4.0]) == pytest.approx((1.5 + 4) / 2)


def test_what_is_kept_is_the_average(make_learner: LearnerMaker) -> None:
    def adapter(average: float, steps: int) -> dict[str, torch.Tensor]:
        learner = make_learner()
        training = Training(steps=steps, meta_batch=1, average=average, schedule="constant", warmup=0)
        family = Attributes(way=2, shot=1, queries=1, mentions=2)
        Trainer(family, learner, ProtoNet(), training, Validation(every=0), Evaluation(1)).train()
        return {name: value.detach().clone() for name, value in learner.adapter().items()}

    kept = [adapter(0.0, steps) for steps in (1, 2)]
    both = adapter(0.99, 2)
    for name, value in both.items():
        torch.testing.assert_close(value, (kept[0][name] + kept[1][name]) / 2)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_that_is_none_is_refused(decay: float) -> None:
    with pytest.raises(InputError, match=r"training\.average"):
        Training(average=decay)

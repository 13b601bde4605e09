"""How far confidence is from accuracy, worked out by hand."""

import math

import numpy as np
import pytest
from metrics.answering import random_answers

from fewshot.metrics.answers import Answers
from fewshot.metrics.calibration import calibration, calibration_errors


def answered(confidence: list[list[float]], right: list[list[int]], task: list[int]) -> Answers:
    """Two-way answers, right or wrong, with these confidences at each moment."""
    label = np.zeros(len(task), dtype=np.int64)
    return Answers(
        task=np.array(task),
        label=label,
        ways=np.full(max(task) + 1, 2),
        steps=np.arange(len(confidence)),
        predicted=1 - np.array(right),
        confidence=np.array(confidence),
        log_right=np.zeros((len(confidence), len(task))),
    )


BY_HAND = answered(
    [[0.5, 0.5, 0.5, 0.5], [0.72, 0.70, 0.95, 1.0]], [[0, 0, 0, 0], [1, 0, 1, 1]], [0, 0, 0, 1]
)


def test_the_queries_of_all_tasks_stand_in_common_bins() -> None:
    found = calibration(BY_HAND)
    assert found["bins"] == [
        {
            "low": pytest.approx(10 / 15), "high": pytest.approx(11 / 15), "queries": 2,
            "confidence": pytest.approx(0.71), "accuracy": 0.5,
        },
        {
            "low": pytest.approx(14 / 15), "high": 1, "queries": 2,
            "confidence": pytest.approx(0.975), "accuracy": 1,
        },
    ]  # fmt: skip
    assert found["ece"] == pytest.approx((2 * 0.21 + 2 * 0.025) / 4)
    assert isinstance(found["ece"], float)


def test_every_task_has_an_error_of_its_own() -> None:
    assert calibration_errors(BY_HAND) == pytest.approx([(abs(1 - 0.72 - 0.70) + 0.05) / 3, 0])


def test_the_last_moment_is_asked_for_unless_another_is() -> None:
    assert calibration(BY_HAND, 1) == calibration(BY_HAND)
    (only,) = calibration(BY_HAND, 0)["bins"]
    assert (only["queries"], only["confidence"], only["accuracy"]) == (4, 0.5, 0)
    assert calibration(BY_HAND, 0)["ece"] == 0.5
    assert calibration_errors(BY_HAND, 1) == pytest.approx(calibration_errors(BY_HAND))
    assert calibration_errors(BY_HAND, 0) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    ("confidence", "low"),
    [(0.0, 0), (1 / 15, 0), (1 / 15 + 1e-9, 1), (0.2, 2), (14 / 15, 13), (1.0, 14), (math.nan, 0)],
)
def test_a_bin_has_its_upper_border(confidence: float, low: int) -> None:
    (found,) = calibration(answered([[confidence]], [[1]], [0]))["bins"]
    assert found["low"] == pytest.approx(low / 15)
    assert found["confidence"] == (0 if math.isnan(confidence) else confidence)


def test_together_it_is_the_error_of_one_task_with_all_queries() -> None:
    answers = random_answers(1, [4, 3, 5], [30, 20, 50])
    pooled = Answers(**{**answers.arrays(), "task": np.zeros(100, dtype=np.int64), "ways": np.array([5])})
    assert calibration(answers)["ece"] == pytest.approx(calibration_errors(pooled)[0])
    assert sum(each["queries"] for each in calibration(answers)["bins"]) == 100


def test_half_precision_is_counted_in_double() -> None:
    answers = random_answers(1, [4], [3000])
    half = Answers(**{**answers.arrays(), "confidence": answers.confidence.astype(np.float16)})
    exact = Answers(**{**answers.arrays(), "confidence": half.confidence.astype(np.float64)})
    assert calibration(half) == calibration(exact)

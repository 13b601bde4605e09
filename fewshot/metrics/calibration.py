"""How far confidence is from accuracy.

Naeini, Cooper, Hauskrecht: Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015; Guo,
Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017. The queries are sorted into bins
of equal width by the probability p of the class that was answered,

    ECE = sum over bins b of |b| / n * |accuracy(b) - mean p(b)|

The error of one task, with its few queries, is biased upwards; `calibration` pools those of all tasks.
"""

from typing import Any

import numpy as np

from fewshot.metrics.answers import Answers, Floats, Integers

BINS = 15  # as in the second paper


def calibration_errors(answers: Answers, moment: int = -1) -> Floats:
    """The expected calibration error of each task, (T,)."""
    bins, sure = _binned(answers, moment)
    slot, size = answers.task * BINS + bins, answers.tasks * BINS
    gap = np.bincount(slot, weights=answers.right[moment] - sure, minlength=size)
    rows = np.bincount(answers.task, minlength=answers.tasks)
    errors: Floats = np.abs(gap).reshape(-1, BINS).sum(1) / rows
    return errors


def calibration(answers: Answers, moment: int = -1) -> dict[str, Any]:
    """`ece` of the queries of all tasks together, and `bins`: what stands in each that is not empty."""
    bins, sure = _binned(answers, moment)
    queries, right, confidence = (
        np.bincount(bins, weights=values) for values in (np.ones(len(sure)), answers.right[moment], sure)
    )
    found = [
        {
            "low": number / BINS,
            "high": (number + 1) / BINS,
            "queries": int(queries[number]),
            "confidence": float(confidence[number] / queries[number]),
            "accuracy": float(right[number] / queries[number]),
        }
        for number in np.flatnonzero(queries)
    ]
    return {"ece": float(np.abs(right - confidence).sum() / len(sure)), "bins": found}


def _binned(answers: Answers, moment: int) -> tuple[Integers, Floats]:
    """The bin of each query, (low, high], and its confidence."""
    sure = np.nan_to_num(answers.confidence[moment].astype(np.float64))  # diverged: sure of nothing
    return np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1), sure

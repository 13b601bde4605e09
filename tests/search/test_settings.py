"""How a search goes on and when it ends: trials, budget, target."""

import math

import pytest

from fewshot.errors import InputError
from fewshot.search.settings import METRICS, TRIALS, Search, Target


def refused(**wrong: object) -> str:
    with pytest.raises(InputError) as caught:
        Search(**wrong)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1d2h3m4s", 93784),
        ("1.5h", 5400),
        ("0.25s", 0.25),
        (" 5m ", 300),
    ],
)
def test_a_budget_is_read_in_seconds(text: str, seconds: float) -> None:
    assert Search(budget=text).budget_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "90", "s", "-5m", "0s", "0h0m", "five minutes", "1h 30m", "5M", "1e3s", ".5h", "1h30", "inf"]
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    assert refused(budget=text) == (
        f"the budget is no time\n  where:  --budget\n  got:    {text!r}\n  needed: 90s, 30m, 2h or 1h30m"
    )


def test_without_a_budget_there_is_no_end_of_time() -> None:
    assert Search().budget_seconds() is None


@pytest.mark.parametrize(
    ("text", "metric", "value"),
    [
        ("recall=0.9", "recall", 0.9),
        (" recall = 0.9 ", "recall", 0.9),
        ("accuracy=1", "accuracy", 1.0),
        ("precision=0", "precision", 0.0),
        ("f1=9e-1", "f1", 0.9),
        ("score=0.4", "score", 0.4),
        ("score=2", "score", 2.0),
        ("loss=1.5", "loss", 1.5),
    ],
)
def test_a_target_is_a_metric_and_a_value(text: str, metric: str, value: float) -> None:
    assert Search(target=text).goal() == Target(metric, value)


def test_without_a_target_there_is_no_goal() -> None:
    assert Search().goal() is None


@pytest.mark.parametrize(
    ("text", "metric", "fix"),
    [
        ("recal=0.9", "recal", "did you mean 'recall'?"),
        ("Accuracy=0.9", "Accuracy", "did you mean 'accuracy'?"),
        ("recall>=0.9", "recall>", "did you mean 'recall'?"),
        ("0.9", "0.9", "choose one of: accuracy, f1, loss, precision, recall, score"),
        ("=0.9", "", "choose one of: accuracy, f1, loss, precision, recall, score"),
        ("", "", "choose one of: accuracy, f1, loss, precision, recall, score"),
    ],
)
def test_an_unknown_metric_names_the_nearest(text: str, metric: str, fix: str) -> None:
    message = f"unknown metric {metric!r}\n  where:  --target\n  got:    {text!r}\n  do:     {fix}"
    assert refused(target=text) == message


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("recall", "recall=VALUE with a number from 0 to 1"),
        ("recall=", "recall=VALUE with a number from 0 to 1"),
        ("recall=high", "recall=VALUE with a number from 0 to 1"),
        ("recall=90%", "recall=VALUE with a number from 0 to 1"),
        ("recall=0.9=1", "recall=VALUE with a number from 0 to 1"),
        ("accuracy=90", "accuracy=VALUE with a number from 0 to 1"),
        ("f1=-0.1", "f1=VALUE with a number from 0 to 1"),
        ("precision=nan", "precision=VALUE with a number from 0 to 1"),
        ("score=-0.1", "score=VALUE with a number from 0"),
        ("score=inf", "score=VALUE with a number from 0"),
        ("loss=nan", "loss=VALUE with a number from 0"),
    ],
)
def test_a_target_that_its_metric_does_not_have_is_refused(text: str, needed: str) -> None:
    assert refused(target=text) == (
        f"the target is no value of its metric\n  where:  --target\n  got:    {text!r}\n  needed: {needed}"
    )


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("trials", 0, 1), ("trials", -3, 1), ("seeds", 0, 1), ("workers", 0, 1), ("seed", -1, 0)],
)
def test_a_number_below_its_least_is_refused(name: str, value: int, least: int) -> None:
    message = refused(**{name: value})
    assert message.splitlines()[0].endswith(f"{name} is too small")
    assert message.splitlines()[1:] == [f"  got:    {value}", f"  needed: {least} or more"]


def test_the_least_of_everything_is_taken() -> None:
    least = Search(trials=1, seeds=1, workers=1, seed=0)
    assert (least.most_trials(), least.final_rounds()) == (1, 2)


@pytest.mark.parametrize(
    ("trials", "target", "budget", "most"),
    [
        (None, None, None, TRIALS),
        (5, None, None, 5),
        (None, "recall=0.9", None, None),
        (None, None, "2h", None),
        (None, "recall=0.9", "2h", None),
        (40, "recall=0.9", None, 40),
        (40, None, "2h", 40),
    ],
)
def test_target_and_budget_end_a_search_in_place_of_a_number(
    trials: int | None, target: str | None, budget: str | None, most: int | None
) -> None:
    assert Search(trials=trials, target=target, budget=budget).most_trials() == most


@pytest.mark.parametrize(
    ("seeds", "workers", "rounds"), [(3, 1, 6), (3, 2, 3), (3, 4, 2), (3, 6, 1), (3, 7, 1), (1, 1, 2)]
)
def test_workers_share_the_final_trainings(seeds: int, workers: int, rounds: int) -> None:
    assert Search(seeds=seeds, workers=workers).final_rounds() == rounds


@pytest.mark.parametrize("metric", ["accuracy", "precision", "recall", "f1"])
def test_what_should_be_high_is_reached_from_above(metric: str) -> None:
    target = Target(metric, 0.8)
    assert target.holds(0.81, 0.9)
    assert target.holds(0.8, 0.9)
    assert not target.holds(0.79, 0.9)  # the mean may be above, the interval is not
    assert not target.holds(0.1, 0.7)
    assert str(target) == f"{metric} at least 0.8"


@pytest.mark.parametrize("metric", ["score", "loss"])
def test_what_should_be_low_is_reached_from_below(metric: str) -> None:
    target = Target(metric, 0.8)
    assert target.holds(0.5, 0.79)
    assert target.holds(0.5, 0.8)
    assert not target.holds(0.5, 0.81)
    assert not target.holds(0.9, 1.0)
    assert str(target) == f"{metric} at most 0.8"


@pytest.mark.parametrize("metric", METRICS)
def test_an_interval_that_is_not_there_reaches_nothing(metric: str) -> None:
    assert not Target(metric, 0.5).holds(math.nan, math.nan)

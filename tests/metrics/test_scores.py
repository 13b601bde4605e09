"""Scores of all tasks at once, against scikit-learn task by task."""

import time
import warnings

import numpy as np
import pytest
from metrics.answering import random_answers
from sklearn import metrics as theirs

from fewshot.metrics.answers import Answers, joined
from fewshot.metrics.scores import (
    FURTHER,
    SCORES,
    class_scores,
    confusion,
    rejection_auroc,
    scores,
)

CASES = {
    "even": random_answers(0, [5] * 6, [25] * 6),
    "another way and number of queries": random_answers(1, [2, 7, 4, 3], [9, 40, 4, 12]),
    "a class without queries": random_answers(2, [4, 3, 2], [12, 9, 6], absent=True),
    "one query": random_answers(3, [5, 2, 3], [1, 1, 1]),
    "several moments": random_answers(4, [3, 5], [9, 25], moments=3),
    "wide": random_answers(5, [150], [300]),
}


def all_right(answers: Answers, shift: int) -> Answers:
    """Every answer right, or with a shift of 1 every one wrong."""
    predicted = (answers.label + shift) % answers.ways[answers.task]
    return Answers(**{**answers.arrays(), "predicted": predicted[None]})


CASES |= {"all right": all_right(CASES["even"], 0), "all wrong": all_right(CASES["even"], 1)}


def rows_of(answers: Answers, task: int, moment: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    mine = answers.task == task
    return answers.label[mine], answers.predicted[moment, mine], list(range(answers.ways[task]))


def expected(answers: Answers, task: int, moment: int) -> dict[str, float]:
    """Every score of one task by scikit-learn."""
    label, predicted, classes = rows_of(answers, task, moment)
    macro = theirs.precision_recall_fscore_support(
        label, predicted, labels=classes, average="macro", zero_division=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes without queries
        balanced = theirs.balanced_accuracy_score(label, predicted)
    return {
        "accuracy": theirs.accuracy_score(label, predicted),
        **dict(zip(("precision", "recall", "f1"), macro, strict=False)),
        "balanced_accuracy": balanced,
        "f1_micro": theirs.f1_score(label, predicted, labels=classes, average="micro", zero_division=0),
    }


@pytest.mark.parametrize("name", CASES)
def test_every_score_is_scikit_learns(name: str) -> None:
    answers = CASES[name]
    ours = scores(answers)
    assert set(ours) == {*SCORES, *FURTHER}
    for moment in range(len(answers.steps)):
        for task in range(answers.tasks):
            found = {each: ours[each][moment, task] for each in expected(answers, task, moment)}
            assert found == pytest.approx(expected(answers, task, moment), abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_scores_of_every_class_are_scikit_learns(name: str) -> None:
    answers = CASES[name]
    ours = class_scores(answers)
    for task in range(answers.tasks):
        label, predicted, classes = rows_of(answers, task, -1)
        found = theirs.precision_recall_fscore_support(label, predicted, labels=classes, zero_division=0)
        for name_, values in zip(("precision", "recall", "f1", "queries"), found, strict=True):
            assert getattr(ours, name_)[task, : len(classes)] == pytest.approx(values, abs=1e-12)
        counts = np.bincount(predicted, minlength=len(classes))
        assert ours.predicted[task, : len(classes)].tolist() == counts.tolist()


@pytest.mark.parametrize("name", CASES)
def test_the_confusion_matrix_is_scikit_learns(name: str) -> None:
    answers = CASES[name]
    ours = confusion(answers)
    for task in range(answers.tasks):
        label, predicted, classes = rows_of(answers, task, -1)
        assert (
            ours[task][: len(classes), : len(classes)].tolist()
            == theirs.confusion_matrix(label, predicted, labels=classes).tolist()
        )


def test_the_log_loss_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(4), 12)
    label = generator.integers(0, 4, 12)
    answers = Answers(
        task=np.repeat([0, 1], 6),
        label=label,
        ways=np.array([4, 4]),
        steps=np.array([0]),
        predicted=probabilities.argmax(1)[None],
        confidence=probabilities.max(1)[None],
        log_right=np.log(probabilities[np.arange(12), label])[None],
    )
    ours = scores(answers)["log_loss"][0]
    halves = [
        theirs.log_loss(label[part], probabilities[part], labels=range(4))
        for part in (slice(6), slice(6, 12))
    ]
    assert ours == pytest.approx(halves, rel=1e-12)


def test_the_calibration_error_is_that_of_its_definition() -> None:
    answers = CASES["another way and number of queries"]
    ours = scores(answers)["ece"][0]
    for task in range(answers.tasks):
        mine = np.flatnonzero(answers.task == task)
        error = 0.0
        for low in range(15):
            inside = [n for n in mine if low / 15 < answers.confidence[0, n] <= (low + 1) / 15]
            if inside:
                accuracy = np.mean([answers.predicted[0, n] == answers.label[n] for n in inside])
                confidence = np.mean([answers.confidence[0, n] for n in inside])
                error += len(inside) / len(mine) * abs(accuracy - confidence)
        assert ours[task] == pytest.approx(error, abs=1e-12)


def test_the_calibration_error_is_that_of_each_moment() -> None:
    answers = CASES["several moments"]
    found = scores(answers)["ece"]
    for moment in range(3):
        chosen = {name: each[moment : moment + 1] for name, each in moments_of(answers).items()}
        alone = Answers(**{**answers.arrays(), **chosen, "steps": answers.steps[:1]})
        assert found[moment] == pytest.approx(scores(alone)["ece"][0])
    assert len(set(found[:, 0])) == 3


def moments_of(answers: Answers) -> dict[str, np.ndarray]:
    """What there is of each moment."""
    return {name: answers.arrays()[name] for name in ("predicted", "confidence", "log_right")}


def test_what_a_model_that_diverged_answers_has_scores() -> None:
    answers = CASES["even"]
    broken = Answers(**{**answers.arrays(), "confidence": np.full_like(answers.confidence, np.nan)})
    assert np.isfinite(scores(broken)["ece"]).all()
    assert np.allclose(scores(broken)["ece"], scores(broken)["accuracy"])  # sure of nothing


def test_tasks_joined_are_tasks_alone() -> None:
    answers = CASES["several moments"]
    again = joined(answers.by_task())
    assert all(
        np.array_equal(a, b) for a, b in zip(again.arrays().values(), answers.arrays().values(), strict=True)
    )
    both = scores(joined([answers, answers]))
    assert all(np.array_equal(both[name], np.tile(own, 2)) for name, own in scores(answers).items())


def test_other_moments_are_not_joined() -> None:
    said = "^answers at different moments of the inner loop cannot stand together$"
    even, several = CASES["even"], CASES["several moments"]
    for parts in ([even, several], [several, even], []):
        with pytest.raises(ValueError, match=said):
            joined(parts)


def test_one_set_of_tasks_joined_is_itself() -> None:
    answers = CASES["even"]
    found = joined([answers]).arrays()
    assert all(np.array_equal(found[name], each) for name, each in answers.arrays().items())


def test_the_answers_of_a_task_are_numbered_from_0() -> None:
    first, second = random_answers(4, [3, 5], [9, 25], moments=3).by_task()
    assert (first.ways.tolist(), second.ways.tolist()) == ([3], [5])
    assert second.task.tolist() == [0] * 25
    assert second.task.dtype == np.int64
    assert (second.predicted.shape, first.tasks) == ((3, 25), 1)


def test_arrays_that_do_not_fit_are_refused() -> None:
    arrays = CASES["even"].arrays()
    with pytest.raises(ValueError, match="no array 'label'"):
        Answers.of_arrays({name: each for name, each in arrays.items() if name != "label"})
    with pytest.raises(ValueError, match=r"predicted has the shape \(1, 3\), not \(1, 150\)"):
        Answers.of_arrays(arrays | {"predicted": np.zeros((1, 3), dtype=np.int64)})
    with pytest.raises(ValueError, match=r"log_right has the shape \(0,\), not \(1, 150\)"):
        Answers.of_arrays(arrays | {"log_right": np.zeros(0)})


def test_rows_that_do_not_fit_the_tasks_are_refused() -> None:
    answers = random_answers(0, [2, 2], [3, 3])
    arrays = answers.arrays()
    nothing = {name: arrays[name][:0] for name in ("predicted", "confidence", "log_right")}
    for wrong in (
        {"ways": np.array([2])},
        {"task": np.full(6, 2)},
        {"task": np.array([-1, 0, 0, 1, 1, 1])},
        {"label": np.zeros(5, dtype=np.int64)},
        {"steps": np.zeros(0, dtype=np.int64)} | nothing,
    ):
        with pytest.raises(ValueError, match=r"^the rows do not fit the tasks$"):
            Answers.of_arrays(arrays | wrong)


@pytest.mark.parametrize("task", [[0] * 6, [0, 1, 1, 1, 1, 1]])
def test_arrays_that_fit_are_taken(task: list[int]) -> None:
    arrays = random_answers(0, [2, 2], [3, 3]).arrays() | {"task": np.array(task)}
    assert all(np.array_equal(a, arrays[name]) for name, a in Answers.of_arrays(arrays).arrays().items())


def test_no_rows_fit_any_tasks() -> None:
    empty = random_answers(0, [2, 2], [0, 0]).arrays()
    assert Answers.of_arrays(empty).tasks == 2


def test_ten_thousand_tasks_take_less_than_a_second() -> None:
    answers = random_answers(0, [5] * 10_000, [75] * 10_000)
    started = time.perf_counter()
    ours = scores(answers)
    seconds = time.perf_counter() - started
    for task in (0, 4_321, 9_999):
        found = {each: ours[each][0, task] for each in expected(answers, task, 0)}
        assert found == pytest.approx(expected(answers, task, 0), abs=1e-12)
    assert seconds < 1  # 0.03 s where this was written


def test_rejection_counts_the_pairs_in_the_right_order() -> None:
    known, strange = [0.9, 0.5, 0.7, 0.5], [0.5, 0.2, 0.8]
    pairs = [(a > b) + 0.5 * (a == b) for a in known for b in strange]
    assert rejection_auroc(known, strange) == pytest.approx(sum(pairs) / len(pairs))
    assert rejection_auroc([1.0], [0.0]) == 1
    assert rejection_auroc([0.0], [1.0]) == 0


def test_a_task_that_diverged_is_sure_of_nothing() -> None:
    assert rejection_auroc([float("nan"), 0.5], [0.2]) == 0.5

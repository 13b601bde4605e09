"""The estimator among scikit-learn's own tools."""

import pickle
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from asked import LABELS, NEW, TEXTS
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted, validate_data

from fewshot import FewShotClassifier, InputError


class OfRows(FewShotClassifier):
    """The estimator on matrices, a row as a text of its numbers, which scikit-learn's checks draw."""

    def _texts(self, X: Any, reset: bool = False) -> list[str]:  # noqa: N803
        rows = validate_data(self, X, reset=reset)
        return [" ".join(f"{value:.1f}" for value in row) for row in rows]

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        return super().fit(self._texts(X, reset=True), y)

    def predict(self, X: Any) -> Any:  # noqa: N803
        check_is_fitted(self)
        return super().predict(self._texts(X))

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        check_is_fitted(self)
        return super().predict_proba(self._texts(X))

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:  # noqa: N803
        if not hasattr(self, "task_"):
            return self.fit(X, y)
        return super().partial_fit(self._texts(X), y, classes)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = type(tags.input_tags)()
        tags.classifier_tags.poor_score = True  # written-out numbers and random weights: accuracy is no aim
        return tags


@pytest.fixture
def fitted(run: str) -> FewShotClassifier:
    """An estimator that knows three classes."""
    return FewShotClassifier(run).fit(TEXTS, LABELS)


def test_it_learns_its_examples(fitted: FewShotClassifier) -> None:
    assert fitted.score(TEXTS, LABELS) > 0.7
    assert fitted.classes_.tolist() == ["card", "exchange", "refund"]
    probabilities = fitted.predict_proba(NEW)
    assert probabilities.shape == (3, 3)
    assert np.allclose(probabilities.sum(1), 1)
    assert (fitted.classes_[probabilities.argmax(1)] == fitted.predict(NEW)).all()


@pytest.mark.parametrize("labels", [np.arange(9) // 3 * 5 - 5, [True] * 4 + [False] * 5, pd.Series(LABELS)])
def test_labels_come_back_as_they_were_given(labels: Any, run: str) -> None:
    found = FewShotClassifier(run).fit(pd.Series(TEXTS), labels)
    assert found.classes_.tolist() == sorted(set(np.asarray(labels).tolist()))
    answers = found.predict(np.array(TEXTS, dtype=object))
    assert set(answers.tolist()) <= set(found.classes_.tolist())
    assert (answers == np.asarray(labels)).mean() > 0.7


def test_numbers_are_in_the_order_of_numbers(run: str) -> None:
    found = FewShotClassifier(run).fit(TEXTS, [2] * 3 + [10] * 3 + [1] * 3)
    assert found.classes_.tolist() == [1, 2, 10]
    assert (found.predict_proba(TEXTS).argmax(1) == [1] * 3 + [2] * 3 + [0] * 3).mean() > 0.7


def test_partial_fit_is_fit_on_all_examples(run: str) -> None:
    whole = FewShotClassifier(run).fit(TEXTS, LABELS)
    grown = FewShotClassifier(run).partial_fit(TEXTS[:6], LABELS[:6])
    assert grown.classes_.tolist() == ["card", "exchange"]
    grown.partial_fit(TEXTS[6:], LABELS[6:])  # a new class
    assert np.allclose(grown.predict_proba(NEW), whole.predict_proba(NEW), atol=1e-5)


def test_far_texts_are_outside(run: str) -> None:
    found = FewShotClassifier(run, max_distance=1e-4, outside="none of them").fit(TEXTS, LABELS)
    assert found.predict([*TEXTS[:2], "snow on the mountains"]).tolist() == ["card", "card", "none of them"]
    distances = found.distances([TEXTS[0], "snow on the mountains"])
    assert distances[0] < 1e-4 < distances[1]
    assert "none of them" not in found.set_params(max_distance=2.0).predict(NEW).tolist()


def test_the_nearest_examples_explain(fitted: FewShotClassifier) -> None:
    (near,) = fitted.explain([TEXTS[4]], count=2)
    assert near[0][:2] == (TEXTS[4], "exchange")
    assert near[0].distance < 1e-4 < near[1].distance


def test_among_the_tools_of_scikit_learn(run: str) -> None:
    estimator = clone(FewShotClassifier(run, max_distance=1.5))
    assert estimator.get_params() == {"run": run, "max_distance": 1.5, "outside": "outside", "device": None}
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = make_pipeline(lower, FewShotClassifier(run))
    assert pipeline.fit([text.upper() for text in TEXTS], LABELS).score(TEXTS, LABELS) > 0.7
    texts, labels = list(TEXTS), list(LABELS)
    assert cross_val_score(FewShotClassifier(run), texts, labels, cv=3).shape == (3,)
    search = GridSearchCV(FewShotClassifier(run), {"max_distance": [None, 1e-9]}, cv=3).fit(texts, labels)
    assert search.best_params_ == {"max_distance": None}


def test_a_pickle_holds_no_backbone(fitted: FewShotClassifier) -> None:
    content = pickle.dumps(fitted)
    assert len(content) < 300_000  # the tiny backbone alone has four million bytes
    assert (pickle.loads(content).predict_proba(NEW) == fitted.predict_proba(NEW)).all()


def test_it_is_saved_as_the_command_does(fitted: FewShotClassifier, tmp_path: Any) -> None:
    from fewshot.classify.store import load_task

    fitted.save(tmp_path / "task")
    assert load_task(tmp_path / "task").task.classes == ("card", "exchange", "refund")


def test_long_texts_are_told(fitted: FewShotClassifier) -> None:
    with pytest.warns(UserWarning, match="1 texts are longer than 128 tokens"):
        fitted.predict(["card " * 500, NEW[0]])
    with pytest.warns(UserWarning, match="1 texts are longer"):
        fitted.partial_fit(["card " * 500], ["card"])


def test_what_is_wrong_is_a_value_error(run: str) -> None:
    estimator = FewShotClassifier(run)
    with pytest.raises(NotFittedError):
        estimator.predict(NEW)
    cases: list[tuple[Any, Any, str]] = [
        (np.zeros((3, 2)), [0, 1, 2], "X is no list of texts"),
        ("one text", ["a"], "X is no list of texts"),
        (5, ["a"], "X is no list of texts"),
        (TEXTS, None, "target y is None"),
        (TEXTS, np.zeros((9, 2)), "y is no list of labels"),
        (TEXTS, [*range(8), "8"], "the labels are of several kinds"),
        (TEXTS, [1, "1"] * 4 + [2], "the labels are of several kinds"),
        (list(range(9)), LABELS, "a text is no string"),
    ]
    for texts, labels, said in cases:
        with pytest.raises(ValueError, match=said):
            estimator.fit(texts, labels)
    with pytest.raises(InputError, match="this is no run directory"):
        FewShotClassifier("nowhere").fit(TEXTS, LABELS)


def checks() -> list[Any]:
    """Scikit-learn's checks of an estimator; on the array API where an environment variable asks for it."""
    found = estimator_checks_generator(OfRows(), legacy=True)
    return [check for _, check in found if check.func.__name__ != "check_array_api_input"]


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.func.__name__)
def test_checks_of_scikit_learn(check: Any, runs: Callable[[str], str]) -> None:
    check(OfRows(runs("ProtoNet")))

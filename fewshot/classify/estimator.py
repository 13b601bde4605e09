"""The classifier as an estimator of scikit-learn."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d

from fewshot.classify.examples import BadExamplesError, checked_texts, labelled
from fewshot.classify.learned import Learned, learned
from fewshot.classify.store import save_task
from fewshot.classify.task import AdaptedTask, Answers, adapted, answer

Array = npt.NDArray[Any]


class Neighbour(NamedTuple):
    """A support example near a text.

    Args:
        text: the example.
        label: its class.
        distance: one minus the cosine of the features.
    """

    text: str
    label: Any
    distance: float


class FewShotClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learns to classify texts from a few labelled examples, with a meta-trained run.

    An estimator like any other: it can be cloned, searched over, cross-validated, stand at the end of a
    pipeline and be pickled. The backbone is kept in memory once for all estimators of a run; a pickle holds
    the name of the run, the examples and what was learned from them.

    Args:
        run: the directory of a meta-trained run; None for the one that comes with the package.
        max_distance: a text further than this from every example (one minus the cosine, 0 to 2) is
            answered by `outside`; None to answer with a class in any case.
        outside: the answer to such texts.
        device: 'cpu' or 'cuda'; None for the run's own.

    Attributes:
        classes_: the classes, sorted, (N,).
        task_: what was learned.
    """

    def __init__(
        self,
        run: str | None = None,
        *,
        max_distance: float | None = None,
        outside: Any = "outside",
        device: str | None = None,
    ) -> None:
        self.run = run
        self.max_distance = max_distance
        self.outside = outside
        self.device = device

    def fit(self, X: Iterable[str], y: Iterable[Any] | None) -> Self:  # noqa: N803
        """Learns from examples.

        Args:
            X: n texts.
            y: their classes: any number a class, 2 classes or more.

        Raises:
            BadExamplesError: nothing there, one class alone, a text that is no string, no label.
            InputError: a run that cannot be used.
        """
        return self._learn(_column(X), _labels(y))

    def partial_fit(self, X: Iterable[str], y: Iterable[Any] | None, classes: Any = None) -> Self:  # noqa: N803
        """Learns from further examples as well, of classes that are known or new.

        All examples so far are learned from together, so what comes out depends on none of their order.

        Args:
            X: n texts.
            y: their classes.
            classes: for scikit-learn; classes without an example cannot be answered.
        """
        if not hasattr(self, "task_"):
            return self.fit(X, y)
        return self._learn([*self.task_.support.texts, *_column(X)], [*self._named(), *_labels(y)])

    def predict(self, X: Iterable[str]) -> Array:  # noqa: N803
        """The class of each text, (R,), or `outside`.

        Raises:
            BadExamplesError: a text that is no string.
        """
        answers = self._answers(X)
        found: Array = np.asarray(self.classes_[answers.predicted])
        if self.max_distance is None:
            return found
        if answers.distances is None:
            raise BadExamplesError("this run knows no distances", where="max_distance", needed="None")
        far = answers.distances.min(1) > self.max_distance
        named: Array = np.where(far, np.array(self.outside, object), found.astype(object))
        return named if far.any() else found

    def predict_proba(self, X: Iterable[str]) -> Array:  # noqa: N803
        """The probability of each class, (R, N), in the order of `classes_`."""
        found: Array = self._answers(X).probabilities.astype(np.float64)
        shares: Array = found / found.sum(1, keepdims=True)
        return shares

    def distances(self, X: Iterable[str]) -> Array:  # noqa: N803
        """One minus the cosine of each text to its nearest example, (R,): how far outside it lies."""
        answers = self._answers(X)
        answers.nearest(1)  # says so where there are none
        assert answers.distances is not None
        found: Array = answers.distances.min(1)
        return found

    def explain(self, X: Iterable[str], count: int = 3) -> list[list[Neighbour]]:  # noqa: N803
        """The nearest examples of each text, the nearest first."""
        answers = self._answers(X)
        places = answers.nearest(count)
        assert answers.distances is not None
        texts, labels = self.task_.support.texts, self._named()
        return [
            [Neighbour(texts[n], labels[n], float(row[n])) for n in own]
            for row, own in zip(answers.distances, places, strict=True)
        ]

    def save(self, folder: str | Path) -> None:
        """Writes what was learned: an adapter that PEFT loads, head, examples; `fewshot predict` reads it."""
        check_is_fitted(self, "task_")
        save_task(Path(folder), self.task_, learned(self.run, self.device))

    def _learn(self, texts: list[Any], labels: list[Any]) -> Self:
        support = labelled(texts, labels)
        named = {str(label): label for label in labels}
        if len({isinstance(label, str) for label in labels}) > 1 or len(named) < len(set(labels)):
            raise BadExamplesError(
                "the labels are of several kinds",
                where="y",
                got=", ".join(sorted({type(label).__name__ for label in labels})),
                needed="strings alone, or numbers alone",
            )
        meta = learned(self.run, self.device)
        _tell(meta, support.texts)
        self.task_: AdaptedTask = adapted(meta, support)
        self._order = [named[name] for name in support.classes]  # of the scores
        self.classes_: Array = np.unique(np.array(self._order))
        return self

    def _named(self) -> list[Any]:
        """The label of each example, as it was given."""
        given = dict(zip(self.task_.classes, self._order, strict=True))
        return [given[label] for label in self.task_.support.labels]

    def _answers(self, X: Iterable[str]) -> Answers:  # noqa: N803
        """What the task answers, its classes in the order of `classes_`."""
        check_is_fitted(self, "task_")
        texts = checked_texts(_column(X), "X")
        meta = learned(self.run, self.device)
        _tell(meta, texts)
        found = answer(meta, self.task_, texts)
        place = {label: n for n, label in enumerate(self._order)}
        order = [place[label] for label in self.classes_.tolist()]
        return Answers(found.probabilities[:, order], found.distances)

    def __sklearn_tags__(self) -> Any:
        """Texts, and no matrix."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array = True, True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        return tags


def _tell(meta: Learned, texts: Sequence[str]) -> None:
    """Warns of texts that are longer than what is read of them."""
    if cut := sum(meta.model.cut([(text, None) for text in texts])):
        length = getattr(meta.model, "max_length", "some")
        warnings.warn(f"{cut} texts are longer than {length} tokens: the rest is not read", stacklevel=4)


def _column(texts: Any) -> list[Any]:
    """The texts of a list, an array or a column of a data frame.

    Raises:
        BadExamplesError: a string alone, a table, a sparse matrix, a number.
    """
    shape = getattr(texts, "shape", None)
    if isinstance(texts, str | bytes) or (shape is not None and len(shape) != 1):
        raise BadExamplesError(
            "X is no list of texts",
            where="X",
            got="one string" if isinstance(texts, str | bytes) else f"an array of shape {shape}",
            needed="a list, an array (n,) or a column with one string for each example",
            fix="Reshape your data: write [text] for one text, frame['text'] for a table",
        )
    try:
        return list(texts)
    except TypeError as error:
        raise BadExamplesError("X is no list of texts", where="X", got=type(texts).__name__) from error


def _labels(labels: Any) -> list[Any]:
    """The labels as plain values of Python.

    Raises:
        BadExamplesError: none at all, or a table of them.
        ValueError: what scikit-learn takes for measurements and no classes.
    """
    if labels is None:
        raise BadExamplesError(
            "requires y to be passed, but the target y is None", where="y", needed="a class for each text"
        )
    found: Array = np.asarray(labels)
    if found.ndim != 1 and found.shape[1:] != (1,):
        raise BadExamplesError(
            "y is no list of labels", where="y", got=f"an array of shape {found.shape}", needed="shape (n,)"
        )
    if found.dtype.kind == "U" or found.dtype == object:  # mixed with numbers, these became strings
        return list(labels) if found.ndim == 1 else list(column_or_1d(found, warn=True))
    if not (found.dtype.kind == "f" and np.isnan(found).any()):  # a label that is missing is named later
        assert_all_finite(found, input_name="y")
        check_classification_targets(found)
    plain: list[Any] = column_or_1d(found, warn=True).tolist()
    return plain

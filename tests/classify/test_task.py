"""A task learned from examples: what it answers, what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from asked import LABELS, NEW, TEXTS

from fewshot.algorithms.algorithm import ready
from fewshot.classify.examples import BadExamplesError, check_balance, checked_texts, labelled
from fewshot.classify.learned import learned
from fewshot.classify.many import MultiTaskPredictor
from fewshot.classify.store import load_task, save_task
from fewshot.classify.task import adapt, adapted, answer
from fewshot.data.example import Example
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode


def test_a_task_answers_as_its_run_does_in_an_evaluation(run: str) -> None:
    meta, support = learned(run), labelled(TEXTS, LABELS)
    task = adapted(meta, support)
    given = tuple(Example(text, label) for text, label in zip(TEXTS, LABELS, strict=True))
    asked = tuple(Example(text, "card") for text in NEW)
    batches = ready(meta.model, [Episode(given, asked, support.classes)])
    expected = meta.algorithm.adapt(meta.model, batches[0])(batches[1]).softmax(-1)
    found = answer(meta, task, NEW)
    assert np.allclose(found.probabilities, expected.numpy(), atol=1e-5)
    assert task.classes == ("card", "exchange", "refund")


def test_distances_are_one_minus_the_cosine(run: str) -> None:
    meta = learned(run)
    task = adapted(meta, labelled(TEXTS, LABELS))
    found = answer(meta, task, TEXTS)
    assert found.distances is not None
    assert task.features is not None
    assert np.allclose(found.distances, (1 - task.features @ task.features.T).clamp(0).numpy(), atol=1e-5)
    assert found.nearest(1)[:, 0].tolist() == list(range(len(TEXTS)))


@pytest.mark.parametrize("classes", [2, 40])
def test_any_number_of_classes_and_shots(classes: int, runs: Callable[[str], str]) -> None:
    texts = [f"number {n} of the list" for n in range(classes)] + ["one more of the last"]
    labels = [f"class {n:03}" for n in range(classes)] + [f"class {classes - 1:03}"]
    task = adapt(texts, labels, runs("ProtoNet"))
    found = answer(learned(runs("ProtoNet")), task, texts)
    assert found.probabilities.shape == (classes + 1, classes)
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-5)
    assert (found.predicted[:-1] == np.arange(classes)).mean() > 0.9
    assert check_balance(task.support).startswith("fewer examples than of others: class 000")


def test_the_meta_parameters_stay_as_they_are(run: str) -> None:
    meta = learned(run)
    before = {name: value.detach().clone() for name, value in meta.model.adapter().items()}
    adapted(meta, labelled(TEXTS, LABELS))
    assert all(torch.equal(value, meta.model.adapter()[name]) for name, value in before.items())


def test_a_run_is_kept_in_memory_and_read_again_where_it_changed(runs: Callable[[str], str]) -> None:
    assert learned(runs("ProtoNet")) is learned(runs("ProtoNet"))


@pytest.mark.parametrize(
    ("texts", "labels", "said"),
    [
        ([], [], "there is nothing to learn from"),
        (["a"], ["x", "y"], "1 texts and 2 labels"),
        (["a", "b"], ["x", "x"], "there is one class alone"),
        (["a", 3], ["x", "y"], "number 2\n  got:    3 of type int"),
        (["a", None], ["x", "y"], "None of type NoneType"),
        (["a", " "], ["x", "y"], "a text is empty"),
        (["a", "b"], ["x", None], "an example has no label"),
        (["a", "b"], ["x", float("nan")], "got:    nan"),
        (["a", "b"], ["x", ""], "an example has no label"),
    ],
)
def test_examples_that_cannot_be_learned_from(texts: list[object], labels: list[object], said: str) -> None:
    with pytest.raises(BadExamplesError) as raised:
        labelled(texts, labels)
    assert said in str(raised.value)
    assert isinstance(raised.value, ValueError)


def test_texts_are_checked() -> None:
    with pytest.raises(BadExamplesError, match="number 2"):
        checked_texts(["fine", b"bytes"])


def test_a_run_whose_answers_depend_on_each_other_is_refused(runs: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="the answers of this run depend on each other"):
        learned(runs("ProtoNet", "--algorithm.then=k-means"))


def test_no_run_there() -> None:
    with pytest.raises(InputError, match="this is no run directory"):
        learned("nowhere")


def test_a_language_model_is_asked_by_the_names(causal_run: str, tmp_path: Path) -> None:
    meta = learned(causal_run)
    task = adapted(meta, labelled(TEXTS, LABELS))
    found = answer(meta, task, NEW)
    assert found.distances is None
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-5)
    with pytest.raises(InputError, match="this model knows no distances"):
        found.nearest(1)
    save_task(tmp_path / "task", task, meta)
    read = load_task(tmp_path / "task")
    assert np.allclose(answer(read.meta, read.task, NEW).probabilities, found.probabilities, atol=1e-5)
    predictor = MultiTaskPredictor(causal_run)
    predictor.learn("all", TEXTS, LABELS)
    predictor.learn("two", TEXTS[:6], LABELS[:6])
    mixed = predictor.predict_proba([NEW[0], NEW[0]], ["all", "two"])
    assert np.allclose(mixed[0], found.probabilities[0], atol=1e-4)
    assert mixed[1].shape == (2,)


@pytest.fixture(scope="module")
def causal_run(runs: Callable[..., str], causal_backbone: Callable[[str], str]) -> str:
    """A run of a small language model."""
    words = ["--model=LoraCausal", f"--model.backbone={causal_backbone('llama')}", "--model.max_length=128"]
    return runs("MAMLAdam", *words)

"""Many tasks on one backbone, texts of different tasks in one pass."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from asked import LABELS, NEW, TEXTS

from fewshot.classify.examples import labelled
from fewshot.classify.learned import learned
from fewshot.classify.many import MultiTaskPredictor
from fewshot.classify.task import adapted, answer
from fewshot.errors import InputError

TASKS = {"all": slice(0, 9), "two": slice(0, 6), "others": slice(3, 9)}


@pytest.fixture
def predictor(run: str) -> MultiTaskPredictor:
    """Three tasks of two and three classes."""
    found = MultiTaskPredictor(run)
    for name, part in TASKS.items():
        found.learn(name, TEXTS[part], LABELS[part])
    return found


def test_a_mixed_batch_is_answered_as_task_by_task(predictor: MultiTaskPredictor, run: str) -> None:
    texts = [text for text in NEW for _ in TASKS]
    tasks = [name for _ in NEW for name in TASKS]
    mixed = predictor.predict_proba(texts, tasks)
    meta = learned(run)
    for name, part in TASKS.items():
        task = adapted(meta, labelled(TEXTS[part], LABELS[part]))
        alone = answer(meta, task, NEW).probabilities
        assert np.allclose(np.stack(mixed[list(TASKS).index(name) :: 3]), alone, atol=1e-5)
    expected = [sorted(set(LABELS[TASKS[n]]))[int(row.argmax())] for n, row in zip(tasks, mixed, strict=True)]
    assert predictor.predict(texts, tasks) == expected


def test_tasks_come_and_go(predictor: MultiTaskPredictor) -> None:
    before = predictor.predict_proba(NEW, ["two"] * 3)
    predictor.remove("all")
    predictor.learn("more", TEXTS[:6], LABELS[:6])
    assert predictor.names == ("two", "others", "more")
    assert len(predictor) == 3
    assert "all" not in predictor
    assert np.allclose(predictor.predict_proba(NEW, ["two"] * 3), before, atol=1e-5)
    assert np.allclose(predictor.predict_proba(NEW, ["more"] * 3), before, atol=1e-5)
    with pytest.raises(InputError, match="there is no task 'all'"):
        predictor.predict(NEW, ["all"] * 3)
    with pytest.raises(InputError, match="there is no task 'all'"):
        predictor.remove("all")


def test_threads_add_and_ask(predictor: MultiTaskPredictor) -> None:
    wrong: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(3):
                predictor.learn(f"{number}", TEXTS[:6], LABELS[:6])
                assert len(predictor.predict(NEW, [f"{number}", "two", "all"])) == 3
                if turn < 2:
                    predictor.remove(f"{number}")
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(predictor) == 7


def test_a_task_of_another_model_is_refused(predictor: MultiTaskPredictor, runs: Callable[..., str]) -> None:
    other = learned(runs("ProtoNet", "--model.lora.rank=2"))
    with pytest.raises(InputError, match="learned with another model"):
        predictor.add("strange", adapted(other, labelled(TEXTS, LABELS)))


def test_what_cannot_be_asked(predictor: MultiTaskPredictor) -> None:
    with pytest.raises(InputError, match="every text needs the name of a task"):
        predictor.predict(NEW, ["two"])
    with pytest.raises(InputError, match="a text is no string"):
        predictor.predict([3], ["two"])  # type: ignore[list-item]
    assert predictor.predict([], []) == []

"""An adapted task on disk: PEFT reads it, and it answers as before."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from asked import LABELS, NEW, TEXTS

from fewshot.classify.examples import labelled
from fewshot.classify.learned import learned
from fewshot.classify.store import load_task, save_task
from fewshot.classify.task import adapted, answer
from fewshot.errors import InputError
from fewshot.models.batch import Rows
from fewshot.models.stack import Stack


@pytest.fixture
def stored(run: str, tmp_path: Path) -> Path:
    """The directory of a task."""
    meta = learned(run)
    save_task(tmp_path / "task", adapted(meta, labelled(TEXTS, LABELS)), meta)
    return tmp_path / "task"


def test_it_answers_as_before(run: str, stored: Path) -> None:
    meta = learned(run)
    before = answer(meta, adapted(meta, labelled(TEXTS, LABELS)), NEW)
    read = load_task(stored)
    after = answer(read.meta, read.task, NEW)
    assert np.allclose(before.probabilities, after.probabilities, atol=1e-6)
    assert before.distances is not None
    assert after.distances is not None
    assert np.allclose(before.distances, after.distances, atol=1e-6)
    assert read.task.support == labelled(TEXTS, LABELS)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers an old name
def test_peft_loads_it_and_gives_the_same_states(run: str, stored: Path, tiny_backbone: str) -> None:
    import peft
    import transformers

    model = peft.PeftModel.from_pretrained(transformers.AutoModel.from_pretrained(tiny_backbone), stored)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_backbone)
    tokens = tokenizer(list(NEW), return_tensors="pt", padding=True)
    meta = learned(run)
    task = adapted(meta, labelled(TEXTS, LABELS))
    stack = Stack({name: value[None] for name, value in task.tensors.items()})
    with torch.no_grad():
        states = model(**tokens).last_hidden_state
        ours = meta.model.features(stack, meta.model.place(meta.model.batch(Rows.of(NEW))))
        merged = model.merge_and_unload()(**tokens).last_hidden_state
    weight = tokens["attention_mask"][..., None].float()
    for found in (states, merged):
        assert torch.allclose((found * weight).sum(1) / weight.sum(1), ours, atol=1e-5)


def test_files_of_a_task(stored: Path) -> None:
    names = {path.name for path in stored.iterdir()}
    assert names == {
        "adapter_config.json", "adapter_model.safetensors", "head.safetensors", "support.jsonl", "task.json"
    }  # fmt: skip
    about = json.loads((stored / "task.json").read_text())
    assert about["classes"] == ["card", "exchange", "refund"]
    assert about["shots"] == {"card": 3, "exchange": 3, "refund": 3}
    assert len(about["backbone_sha256"]) == 64


def test_a_backbone_with_other_weights_is_refused(stored: Path) -> None:
    path = stored / "task.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"backbone_sha256": "0" * 64}))
    with pytest.raises(InputError) as raised:
        load_task(stored)
    assert "the backbone is not the one that this task was learned on" in str(raised.value)
    assert "needed: weights of sha256 000" in str(raised.value)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("task.json", "{", "this is no adapted task"),
        ("task.json", "[]", "this is no adapted task"),
        ("task.json", '{"schema": 0}', "written by another version"),
        ("support.jsonl", "nothing\n", "the examples of a task cannot be read"),
        ("support.jsonl", '{"text": "a", "label": "b"}\n', "the head does not fit the examples"),
        ("head.safetensors", "short", "a file of tensors cannot be read"),
    ],
)
def test_damaged_files_are_named(file: str, content: str, said: str, stored: Path) -> None:
    (stored / file).write_text(content)
    with pytest.raises(InputError) as raised:
        load_task(stored)
    assert said in str(raised.value)
    assert file in str(raised.value) or file == "task.json"


def test_the_adapter_of_another_rank_is_refused(
    stored: Path, runs: Callable[..., str], tmp_path: Path
) -> None:
    meta = learned(runs("ProtoNet", "--model.lora.rank=2"))
    save_task(tmp_path / "other", adapted(meta, labelled(TEXTS, LABELS)), meta)
    shutil.copy(tmp_path / "other" / "adapter_model.safetensors", stored)
    with pytest.raises(InputError, match="the saved adapter is another"):
        load_task(stored)


def test_nothing_there() -> None:
    with pytest.raises(InputError, match="got:    no such folder"):
        load_task(Path("nowhere"))

"""The adapter that comes with the package, on the real backbone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from asked import LABELS, TEXTS
from huggingface_hub import ModelCard

from benchmarks.versus.cell import PROBLEMS
from fewshot import FewShotClassifier
from fewshot.classify.compress import compressed
from fewshot.classify.learned import FOLDER, READY, learned
from fewshot.classify.task import adapt
from fewshot.models.batch import Rows
from fewshot.models.stack import Stack

ASKED = {
    "has my card been sent": "card",
    "how many dollars do i get for a pound": "exchange",
    "can you pay me back what i paid": "refund",
}


VERBS = ["open", "close", "find", "send", "pay", "read", "sell", "move", "lock", "count"]
THINGS = [
    "card", "account", "bill", "letter", "house", "key", "phone", "garden", "dog", "book", "shop", "table",
    "order", "ticket", "plan",
]  # fmt: skip


def test_it_knows_questions_from_three_examples_each() -> None:
    classifier = FewShotClassifier().fit(TEXTS, LABELS)
    assert classifier.predict(list(ASKED)).tolist() == list(ASKED.values())
    strange = classifier.distances(["the mountains are covered with snow"])
    assert strange[0] > classifier.distances(list(ASKED)).max()


def test_a_folder_of_its_name_is_not_taken_for_it(
    runs: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(runs("ProtoNet"), tmp_path / READY)
    monkeypatch.chdir(tmp_path)
    assert learned().model.width == 384
    assert learned(READY).model.width == 32


def test_one_example_each_and_a_hundred_and_fifty_classes() -> None:
    words = [f"{verb} my {thing}" for verb in VERBS for thing in THINGS]
    classifier = FewShotClassifier().fit(words, words)
    assert len(classifier.classes_) == 150
    assert (classifier.predict([f"please {word}" for word in words]) == words).mean() > 0.9


def test_its_card_says_what_lies_there() -> None:
    card, weights = ModelCard.load(FOLDER / "README.md"), FOLDER / "adapter" / "adapter_model.safetensors"
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert f"{weights.stat().st_size:,} bytes" in card.text
    assert f"{sum(v.numel() for v in learned().model.adapter().values()):,} numbers" in card.text
    assert weights.stat().st_size < 400_000
    assert all(f"| {name} (" in card.text for name in ("BANKING77", "HWU64", "CLINC150"))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers an old name
def test_peft_gives_the_same_states() -> None:
    import peft
    import transformers

    from fewshot.models.backbone import find_backbone

    path, meta = find_backbone("minilm"), learned()
    model = peft.PeftModel.from_pretrained(transformers.AutoModel.from_pretrained(path), FOLDER / "adapter")
    tokens = transformers.AutoTokenizer.from_pretrained(path)(list(TEXTS), return_tensors="pt", padding=True)
    task = adapt(TEXTS, LABELS)
    stack = Stack({name: value[None] for name, value in task.tensors.items()})
    weight = tokens["attention_mask"][..., None].float()
    with torch.no_grad():
        theirs = (model(**tokens).last_hidden_state * weight).sum(1) / weight.sum(1)
        ours = meta.model.features(stack, meta.model.place(meta.model.batch(Rows.of(TEXTS))))
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_trainer_of_transformers_goes_on_from_it(tmp_path: Path) -> None:
    import peft
    import transformers

    from fewshot.models.backbone import find_backbone

    path = find_backbone("minilm")
    kind = transformers.AutoModelForSequenceClassification
    model = kind.from_pretrained(path, num_labels=3)
    model.bert = peft.PeftModel.from_pretrained(model.bert, FOLDER / "adapter", is_trainable=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    numbers = {label: n for n, label in enumerate(sorted(set(LABELS)))}
    rows = [{**tokenizer(text), "labels": numbers[label]} for text, label in zip(TEXTS, LABELS, strict=True)]
    before = {name: value.detach().clone() for name, value in model.named_parameters() if "lora_" in name}
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=2, report_to=[], save_strategy="no", disable_tqdm=True,
        dataloader_pin_memory=False, use_cpu=True,
    )  # fmt: skip
    collator = transformers.DataCollatorWithPadding(tokenizer)
    transformers.Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collator).train()
    after = dict(model.named_parameters())
    assert before
    assert all(value.any() for value in before.values()), "it starts from what was meta-learned"
    assert any(not torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.data
def test_it_is_better_than_the_frozen_backbone_on_classes_it_never_saw(
    data_folder: Path, tmp_path: Path
) -> None:
    import safetensors.torch

    compressed(FOLDER, tmp_path / "frozen", None, "float32")
    weights = tmp_path / "frozen" / "adapter" / "adapter_model.safetensors"
    values = safetensors.torch.load_file(weights)
    safetensors.torch.save_file({name: torch.zeros_like(value) for name, value in values.items()}, weights)
    found: dict[str, list[float]] = {READY: [], str(tmp_path / "frozen"): []}
    for episode in PROBLEMS["hwu64-5way-1shot"].tasks(20):
        for run, scores in found.items():
            classifier = FewShotClassifier(run)
            classifier.fit([e.text for e in episode.support], [e.label for e in episode.support])
            scores.append(classifier.score([e.text for e in episode.query], [e.label for e in episode.query]))
    ours, frozen = (np.mean(scores) for scores in found.values())
    assert ours > frozen + 0.02

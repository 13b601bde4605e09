"""Ways to get a classifier from a few labelled examples, all on MiniLM.

SetFit: Tunstall, Reimers, Jo, Bates, Korat, Wasserblat, Pereg: Efficient Few-Shot Learning Without Prompts,
2022, https://arxiv.org/abs/2209.11055, with the settings of its package. Fine-tuning: LoRA by PEFT under the
Trainer of transformers. Each takes texts and class names and gives what answers; each is imported where it is
used.
"""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SEED = 0


class Rival(ABC):
    """A way to learn a task.

    Args:
        run: a meta-trained run, for those that take one.
    """

    about: str

    def __init__(self, run: str | None) -> None:
        self.run = run

    @abstractmethod
    def load(self) -> None:
        """Reads what does not depend on the task; called before every task, timed apart."""

    @abstractmethod
    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """From examples to a working classifier; this is timed."""

    @abstractmethod
    def predict(self, texts: Sequence[str]) -> list[str]:
        """The class of each text."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes what must be kept to answer later, beside MiniLM itself where that is not changed."""


class MetaLearned(Rival):
    """`FewShotClassifier`."""

    about = "fewshot, meta-trained adapter"

    def load(self) -> None:
        """The run; in memory after the first time."""
        from fewshot.classify.estimator import FewShotClassifier
        from fewshot.classify.learned import learned

        learned(self.run)
        self._model = FewShotClassifier(self.run)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Its `fit`."""
        self._model.fit(texts, labels)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Its `predict`."""
        found: list[str] = self._model.predict(texts).tolist()
        return found

    def save(self, folder: Path) -> None:
        """Adapter, head and examples."""
        self._model.save(folder)


class Logistic(Rival):
    """Logistic regression on frozen sentence embeddings."""

    about = "logistic regression on frozen embeddings"

    def load(self) -> None:
        """MiniLM; in memory after the first time."""
        from fewshot.clusters import frozen_features
        from fewshot.models.compute import Compute
        from fewshot.models.encoder import LoraEncoder

        if not hasattr(self, "_embed"):
            model = LoraEncoder(compute=Compute(dtype="float32"))
            self._embed: Callable[[Sequence[str]], Any] = lambda texts: frozen_features(model, texts)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Scikit-learn's, with its settings."""
        from sklearn.linear_model import LogisticRegression

        self._head = LogisticRegression(max_iter=1000).fit(self._embed(texts), labels)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The class of the highest score."""
        found: list[str] = self._head.predict(self._embed(texts)).tolist()
        return found

    def save(self, folder: Path) -> None:
        """The coefficients."""
        folder.mkdir()
        np.savez(folder / "head.npz", weight=self._head.coef_, bias=self._head.intercept_)


class SetFit(Rival):
    """SetFit: contrastive fine-tuning of the whole encoder, then logistic regression."""

    about = "SetFit"

    def load(self) -> None:
        """MiniLM anew, since the last task has changed it."""
        import setfit

        from fewshot.models.backbone import find_backbone

        self._model = setfit.SetFitModel.from_pretrained(find_backbone("minilm"))

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """With the settings of the package: one epoch over all pairs, batches of 16."""
        import datasets
        import setfit

        with tempfile.TemporaryDirectory() as scratch:
            arguments = setfit.TrainingArguments(
                output_dir=scratch, report_to=[], show_progress_bar=False, save_strategy="no", seed=SEED
            )
            given = datasets.Dataset.from_dict({"text": list(texts), "label": list(labels)})
            setfit.Trainer(model=self._model, args=arguments, train_dataset=given).train()

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Its `predict`."""
        return [str(label) for label in self._model.predict(list(texts), show_progress_bar=False)]

    def save(self, folder: Path) -> None:
        """The whole encoder, and the head."""
        self._model.save_pretrained(str(folder))


class FineTuned(Rival):
    """LoRA by PEFT and a classification head, trained by the Trainer of transformers."""

    about = "LoRA fine-tuning by PEFT's and transformers' means"
    EPOCHS, RATE, RANK = 30, 1e-3, 8

    def load(self) -> None:
        """MiniLM anew, under an adapter and a head that the task will need."""
        import transformers

        from fewshot.models.backbone import find_backbone

        self._path = find_backbone("minilm")
        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(self._path)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """30 epochs of AdamW in batches of 16."""
        import peft
        import transformers

        transformers.set_seed(SEED)
        self._classes = sorted(set(labels))
        kind: Any = transformers.AutoModelForSequenceClassification
        model = kind.from_pretrained(self._path, num_labels=len(self._classes))
        config = peft.LoraConfig(
            task_type="SEQ_CLS", r=self.RANK, lora_alpha=2 * self.RANK, modules_to_save=["classifier"],
            target_modules=["query", "key", "value", "dense"],
        )  # fmt: skip
        self._model = peft.get_peft_model(model, config)
        rows = [
            {**self._tokenizer(text, truncation=True, max_length=128), "labels": self._classes.index(label)}
            for text, label in zip(texts, labels, strict=True)
        ]
        with tempfile.TemporaryDirectory() as scratch:
            arguments: Any = transformers.TrainingArguments(
                output_dir=scratch, num_train_epochs=self.EPOCHS, learning_rate=self.RATE, report_to=[],
                per_device_train_batch_size=16, save_strategy="no", logging_strategy="no", disable_tqdm=True,
                seed=SEED, dataloader_pin_memory=False,
            )  # fmt: skip
            self._trainer: Any = transformers.Trainer(
                model=self._model,
                args=arguments,
                train_dataset=rows,
                data_collator=transformers.DataCollatorWithPadding(self._tokenizer),
            )
            self._trainer.train()

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The class of the highest score."""
        rows = [self._tokenizer(text, truncation=True, max_length=128) for text in texts]
        scores = self._trainer.predict(rows).predictions
        return [self._classes[int(number)] for number in scores.argmax(1)]

    def save(self, folder: Path) -> None:
        """Adapter and head."""
        self._model.save_pretrained(str(folder))


RIVALS: Mapping[str, type[Rival]] = {
    "fewshot": MetaLearned,
    "logistic": Logistic,
    "setfit": SetFit,
    "peft": FineTuned,
}
OURS = "fewshot"

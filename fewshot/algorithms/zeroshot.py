"""Zero-shot: the class names stand for the classes; no support example is read.

Yin, Hay, Roth: Benchmarking Zero-shot Text Classification: Datasets, Evaluation and Entailment Approach,
EMNLP 2019, https://arxiv.org/abs/1909.00161, give the setting. Here a class is the unit-length feature
of its name,

    score(n) = cos(z, z_n),    z_n the feature of `template` with the name of class n in it

on frozen features: what a user has before the first label.
"""

import torch

from fewshot.algorithms.algorithm import Adapted, Algorithm, Predictor
from fewshot.algorithms.prototypes import cosine_head
from fewshot.data.names import in_words
from fewshot.errors import InputError, listing
from fewshot.models.batch import Rows, TaskBatch
from fewshot.models.heads import class_means
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack


class ZeroShot(Algorithm):
    """Cosine to the features of the class names.

    Args:
        template: the text made of a name, with {} in its place.

    Raises:
        InputError: a template without a place for the name.
    """

    adapts = False
    shares_body = True

    def __init__(self, template: str = "{}") -> None:
        super().__init__()
        if "{}" not in template:
            raise InputError(
                "the template has no place for the name", where="zero-shot", got=template, needed="{} in it"
            )
        self.template = template

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """The names as the only examples of their classes; a language model scores them, or writes, as it is.

        Raises:
            InputError: classes whose names are numbers, or that have none.
        """
        if not support.written:
            _check_names(support)
        if learner.reads_names or support.written:
            return Adapted(learner, Stack({}))
        names = [(t, n, name) for t, names in enumerate(support.names) for n, name in enumerate(names)]
        texts = [(self.template.replace("{}", in_words(name)), None) for *_, name in names]
        rows = Rows(texts, [n for _, n, _ in names], [t for t, *_ in names], support.ways)
        with torch.no_grad():
            placed = learner.place(learner.batch(rows))
            features = learner.features(Stack({}), placed)
            return Adapted(learner, Stack(cosine_head(learner, class_means(features, placed))))


def _check_names(support: TaskBatch) -> None:
    if not support.names:
        raise InputError(
            "zero-shot needs label names",
            where="the episodes",
            got="batches without names",
            needed="batches made by `collate`, placed by a learner that keeps their names",
        )
    for names, source in zip(support.names, support.sources, strict=True):
        numbers = [name for name in names if not any(letter.isalpha() for letter in name)]
        if numbers:
            raise InputError(
                "zero-shot needs label names",
                where=f"source {source!r}",
                got=f"the labels {listing(numbers)}",
                needed="names in words, which say what the classes are about",
                fix="give the labels their names in the data, or leave zero-shot out",
            )

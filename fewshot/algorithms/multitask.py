"""Transfer learning: ordinary training on all meta-training classes at once, then a new head or fine-tuning.

Pan, Yang: A Survey on Transfer Learning, 2010, and as a strong baseline of few-shot learning: Tian, Wang,
Krishnan, Tenenbaum, Isola: Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?,
ECCV 2020, https://arxiv.org/abs/2003.11539.

    training:  min over phi, V of cross-entropy of s * V z_phi(x) over all classes of the text's source
    a task:    a ridge head on z_phi (feature-based), or phi and a new head adapted by the inner loop

phi is the adapter, V (`vectors`) has a row for each meta-training class and is thrown away afterwards. A
language model needs no V: it is trained to give the answers of all tasks, and then fine-tuned to one.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewshot.algorithms.algorithm import Adapted, MetaStep, Predictor, require_space
from fewshot.algorithms.maml import MAML
from fewshot.algorithms.prototypes import cosine_head
from fewshot.algorithms.ridge import ridge_head
from fewshot.errors import InputError
from fewshot.models.batch import TaskBatch
from fewshot.models.heads import class_means
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack
from fewshot.tasks.episode import Episode


class MultiTask(MAML):
    """Multi-task training, then transfer.

    Args:
        then: how a task is learned: 'features', a ridge head on frozen features; or 'adapter', all of it
            fine-tuned by Adam from the prototypes.
        inner_steps: of the fine-tuning.
        inner_lr: of the fine-tuning.
        strength: penalty of the ridge head.

    Raises:
        InputError: another way of transfer, a strength that is not positive.
    """

    scaffold = ("vectors",)
    lr_factor = 10.0  # vectors of random length begin far from where they end

    def __init__(
        self,
        then: Literal["features", "adapter"] = "features",
        inner_steps: int = 10,
        inner_lr: float = 2e-3,
        strength: float = 0.1,
    ) -> None:
        super().__init__(1, inner_steps, inner_lr, False, "adam")
        if then not in ("features", "adapter"):
            raise InputError(
                "unknown transfer", where="algorithm.then", got=then, needed="'features' or 'adapter'"
            )
        if not strength > 0:
            raise InputError(
                "the penalty is not positive", where="algorithm.strength", got=strength, needed="above 0"
            )
        self.then, self.strength, self.adapts = then, strength, then == "adapter"
        self.shares_body = not self.adapts
        self._rows: dict[str, dict[str, int]] = {}
        self._trains, self._answers = False, False

    def meet(self, classes: Mapping[str, Sequence[str]]) -> None:
        """Numbers the meta-training classes."""
        self._trains = True
        numbers = iter(range(sum(len(names) for names in classes.values())))
        self._rows = {source: {name: next(numbers) for name in names} for source, names in classes.items()}

    def prepare(self, learner: Learner) -> str:
        """Makes the class vectors, where the classes are known and the learner does not answer in words.

        Raises:
            InputError: a family that does not list its classes, a ridge head for a learner without features.
        """
        self._answers = not learner.has_space
        if self._answers and self.then == "features":
            require_space(
                learner,
                "multi-task training with a ridge head (algorithm.then features)",
                "--algorithm.then adapter, which fine-tunes the adapter to a task",
            )
        count = 0 if self._answers else sum(len(rows) for rows in self._rows.values())
        if self._trains and not count and not self._answers:
            raise InputError(
                "multi-task training needs to know all classes beforehand",
                where="family",
                needed="a family whose `classes` lists them by source",
            )
        if count:
            generator = torch.Generator().manual_seed(0)
            vectors = F.normalize(torch.randn(count, learner.head.size, generator=generator), dim=-1)
            self.vectors = nn.Parameter(vectors.to(learner.device))
        return super().prepare(learner)

    def start(self, learner: Learner, support: TaskBatch) -> Stack:
        """The trained adapter, with prototypes as the head where there is one."""
        if self._answers:
            return super().start(learner, support)
        body = learner.start_body(support.tasks)
        head = cosine_head(learner, class_means(learner.features(body, support), support))
        return Stack({name: value.clone() for name, value in body.items()} | head)

    def adapt(self, learner: Learner, support: TaskBatch) -> Predictor:
        """A ridge head on frozen features, or fine-tuning."""
        if self.then == "adapter":
            return super().adapt(learner, support)
        with torch.no_grad():
            body = learner.start_body(support.tasks)
            head = ridge_head(learner, learner.features(body, support), support, self.strength)
            return Adapted(learner, Stack(dict(body.items()) | head))

    def meta_step(self, learner: Learner, support: TaskBatch, query: TaskBatch) -> MetaStep:
        """Cross-entropy over all classes of each text's source; scores are those of the episode's classes."""
        (support_losses, _), (losses, scores) = (self._classify(learner, each) for each in (support, query))
        rows, queries = support.rows, query.rows
        mean = (support_losses * rows + losses * queries) / (rows + queries)
        return MetaStep(mean, scores)

    def baseline_loss(self, drawn: Sequence[Episode]) -> float:
        """That of all C classes of each episode's source: ln C."""
        if self._answers:
            return super().baseline_loss(drawn)
        return sum(math.log(len(self._rows[episode.source])) for episode in drawn) / len(drawn)

    def _classify(self, learner: Learner, batch: TaskBatch) -> tuple[Tensor, Tensor]:
        """Each task's mean loss (T,), and the scores of the episodes' classes (R, max way)."""
        body = learner.start_body(batch.tasks)
        if self._answers:
            answered = learner.logits(body, batch)
            return learner.losses(answered, batch), answered.detach()
        unit = F.normalize(learner.features(body, batch), dim=-1)
        scale = learner.head.log_scale.exp()
        losses, scores = [], unit.new_full((len(unit), max(batch.ways)), -torch.inf)
        for task, (source, names) in enumerate(zip(batch.sources, batch.names, strict=True)):
            mine = torch.nonzero(batch.task == task).flatten()
            known = list(self._rows[source].values())
            all_scores = scale * unit[mine] @ self.vectors[known].T
            own = torch.tensor([self._rows[source][name] - known[0] for name in names], device=unit.device)
            losses.append(F.cross_entropy(all_scores, own[batch.labels[mine]]))
            scores[mine, : len(names)] = all_scores[:, own].detach()
        return torch.stack(losses), scores

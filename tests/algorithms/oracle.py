"""learn2learn task by task, on the plain PEFT model: the independent implementation of MAML."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewshot.algorithms import learn2learn
from fewshot.algorithms.algorithm import ready
from fewshot.models.batch import TaskBatch
from fewshot.models.encoder import LoraEncoder
from fewshot.tasks.episode import Episode


class OneTask(nn.Module):
    """Backbone, LoRA and head of one task, all of it wrapped, as learn2learn's users write it."""

    def __init__(self, learner: LoraEncoder, support: TaskBatch) -> None:
        super().__init__()
        self.backbone = learner.peft.get_base_model()
        self.scale = learner.head.log_scale.exp()
        self.pooling = learner.pooling
        way = support.ways[0]
        unit = F.normalize(self.features(support), dim=-1)
        means = torch.stack([unit[support.labels == n].mean(0) for n in range(way)])
        bias = torch.zeros(way, dtype=unit.dtype, requires_grad=True)
        # as parameters, though they are no leaves: learn2learn clones and adapts what it finds there
        self._parameters.update(weight=F.normalize(means, dim=-1), bias=bias)  # type: ignore[call-overload]

    def features(self, batch: TaskBatch) -> Tensor:
        """Row by row, without padding."""
        (part,) = batch.inputs.parts
        rows = part.ids[0, : part.packing.tokens].split(list(part.packing.lengths))
        pooled = [self.backbone(input_ids=row[None]).last_hidden_state.mean(1)[0] for row in rows]
        return torch.stack(pooled)[batch.inputs.restore]

    def forward(self, batch: TaskBatch) -> Tensor:
        unit = F.normalize(self.features(batch), dim=-1)
        weight, bias = self._parameters["weight"], self._parameters["bias"]
        assert weight is not None
        assert bias is not None
        scores = self.scale * unit @ weight.T + bias
        return F.cross_entropy(scores, batch.labels)


def meta_gradients(
    learner: LoraEncoder, drawn: list[Episode], steps: int, rate: float, first_order: bool
) -> dict[str, Tensor]:
    """Gradients of the sum of the query losses with respect to the adapter, one task after another."""
    parameters = learner.adapter()
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    for episode in drawn:
        support, query = ready(learner, [episode])
        task = learn2learn.load().MAML(
            OneTask(learner, support), lr=rate, first_order=first_order, allow_nograd=True
        )
        clone = task.clone()
        for _ in range(steps):
            clone.adapt(clone(support))
        grads = torch.autograd.grad(clone(query), list(parameters.values()))
        for name, grad in zip(parameters, grads, strict=True):
            total[name] += grad
    return total

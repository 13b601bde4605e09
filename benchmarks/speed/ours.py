"""An outer step of this project."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.speed.case import RATE, Case
from fewshot.algorithms.maml import MAML
from fewshot.chunks import Chunks
from fewshot.engine import Engine, MetaBatch
from fewshot.models.batch import Rows
from fewshot.models.learner import in_shares
from fewshot.models.lora import StackedLinear
from fewshot.models.stack import Stack
from fewshot.models.targets import LINEAR
from fewshot.tasks.episode import Episode


class Ours:
    """The engine of `fewshot train` on one case; a step goes from texts to meta-gradient."""

    name = "fewshot"

    def __init__(self, case: Case) -> None:
        self.case = case
        self.learner = case.learner()
        generator = torch.Generator().manual_seed(0)
        self.parameters: dict[str, Tensor] = {**self.learner.adapter(), "head": self.learner.head.vectors}  # type: ignore[dict-item]
        with torch.no_grad():
            for value in self.parameters.values():
                value.copy_(0.05 * torch.randn(value.shape, generator=generator))
        algorithm = MAML(case.order, case.inner_steps, RATE, learn_inner_lr=False)
        algorithm.prepare(self.learner)
        chunks = Chunks(self.learner, case.at_once or case.meta_batch, case.order == 1)
        self.engine = Engine(self.learner, algorithm, chunks)

    def fill(self, texts: Sequence[str]) -> float:
        """Puts the frozen states of all texts into the cache; the seconds it took."""
        started = time.perf_counter()
        for first in range(0, len(texts), 128):
            self.learner.place(self.learner.batch(Rows.of(texts[first : first + 128])))
        return time.perf_counter() - started

    def step(self, drawn: Sequence[Episode]) -> None:
        """The meta-gradient of the episodes, left in the parameters' `grad`."""
        self.engine.gradient(self.engine.collate(list(drawn)))

    def gradient(self) -> dict[str, Tensor]:
        """What `step` left."""
        return {name: value.grad for name, value in self.parameters.items() if value.grad is not None}

    def tokens(self, drawn: Sequence[Episode]) -> tuple[int, int]:
        """Real tokens of the support and of the query sets."""
        parts = self.engine.collate(list(drawn)).parts
        return sum(s.inputs.tokens for s, _ in parts), sum(q.inputs.tokens for _, q in parts)

    def padding(self, drawn: Sequence[Episode]) -> dict[str, float]:
        """Shares of padding in what is computed."""
        parts = self.engine.collate(list(drawn)).parts
        return in_shares(self.learner.cost(*(batch for part in parts for batch in part)))

    def operations(self, drawn: Sequence[Episode]) -> float:
        """Operations of linear maps on real tokens in one outer step.

        Forward, and backward to what requires it; in second order an inner step is differentiated once
        more, which doubles it. What is computed again in the backward pass is not counted twice.
        """
        support, query = self.tokens(drawn)
        inner = self.case.inner_steps * (2 if self.case.order == 2 else 1)
        return self._operations_per_token(drawn[:1]) * (inner * support + query)

    def _operations_per_token(self, drawn: Sequence[Episode]) -> float:
        batch: MetaBatch = self.engine.collate(list(drawn))
        support = self.learner.place(batch.parts[0][0])
        stack = Stack({n: v.expand(1, *v.shape) for n, v in self.learner.adapter().items()})
        counted = 0.0

        def count(module: nn.Module, args: tuple[Tensor, ...], _: Tensor) -> None:
            nonlocal counted
            inputs, tokens = args[0], args[0].numel() // args[0].shape[-1]
            ways = 1 + int(inputs.requires_grad)
            if isinstance(module, StackedLinear):
                rank = self.case.rank
                wide = int(module.in_features), int(module.out_features)  # type: ignore[arg-type]
                counted += 2 * tokens * rank * (wide[0] * (1 + ways) + wide[1] * 3)
            else:
                counted += 2 * tokens * int(module.weight.numel()) * ways  # type: ignore[operator]

        base = self.learner.peft.get_base_model()
        linear = [module for module in base.modules() if isinstance(module, (*LINEAR, StackedLinear))]
        hooks = [module.register_forward_hook(count) for module in linear]
        self.learner.features(stack, support)
        for hook in hooks:
            hook.remove()
        return counted / int(support.inputs.padded_tokens)  # each of them costs the same

"""The meta-gradient of a meta-batch whose episodes are shared out over processes: one sum an outer step."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from fewshot.engine import DivergedError, Engine, MetaBatch, Outcome
from fewshot.processes import Processes
from fewshot.stopping import SIGNALS, Asked


class Joint:
    """An engine in each of some processes.

    Args:
        engine: that of this process.
        processes: in all of them the meta-parameters are the same.
        parameters: the meta-parameters.
    """

    def __init__(self, engine: Engine, processes: Processes, parameters: Mapping[str, nn.Parameter]) -> None:
        self._engine, self._processes, self._parameters = engine, processes, list(parameters.values())
        self.asked: Asked = None

    def gradient(self, batch: MetaBatch, step: int, asked: Asked) -> Outcome:
        """Sets `grad` to the gradient of the whole meta-batch, in all processes.

        Args:
            batch: this process's share, which may be empty.
            step: the number of the outer step.
            asked: the signal by which this process was asked to stop; `asked` has then that by which any was.

        Raises:
            InputError: the memory does not hold the least that can be computed.
            DivergedError: a loss of any process is not finite; the same in all of them.
        """
        if self._processes.size == 1:
            self.asked = asked
            return self._engine.gradient(batch, step)
        own, wrong = self._own(batch, step)
        names = sorted(own.cost)
        signals = [asked == each for each in SIGNALS]
        figures = [own.loss, own.baseline, own.right, own.rows, *(own.cost[name] for name in names)]
        diverged, *found = self._sum([bool(wrong), *signals, *figures])
        self.asked = next((each for each, count in zip(SIGNALS, found, strict=False) if count), None)
        if diverged:
            raise DivergedError(self._processes.gather(wrong)[0])
        loss, baseline, right, rows, *costs = found[len(SIGNALS) :]
        return Outcome(loss, baseline, right, rows, dict(zip(names, map(round, costs), strict=True)))

    def _own(self, batch: MetaBatch, step: int) -> tuple[Outcome, list[str]]:
        """What this process found, and which loss is not finite, if one is."""
        self._engine.gradients.clear(self._parameters)
        nothing = Outcome(0.0, 0.0, 0.0, 0.0, self._engine.learner.cost())
        if not batch.episodes:
            return nothing, []
        try:
            return self._engine.gradient(batch, step), []
        except DivergedError as error:
            return nothing, [str(error)]

    def _sum(self, numbers: Sequence[float]) -> list[float]:
        """Adds up gradients and numbers; a parameter has no gradient where it has none in any process."""
        gradients = [self._engine.gradients.of(parameter) for parameter in self._parameters]
        pairs = zip(self._parameters, gradients, strict=True)
        values = [(torch.zeros_like(own) if g is None else g).double().flatten() for own, g in pairs]
        beside = [*numbers, *(gradient is not None for gradient in gradients)]
        total = self._processes.sum(torch.cat([*values, values[0].new_tensor(beside)]))
        *parts, told = torch.split(total, [*(len(value) for value in values), len(beside)])
        found: list[float] = told.tolist()
        for parameter, part, count in zip(self._parameters, parts, found[len(numbers) :], strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype) if count else None
        return found[: len(numbers)]

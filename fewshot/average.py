"""Meta-parameters averaged over the outer steps.

Izmailov, Podoprikhin, Garipov, Vetrov, Wilson: Averaging Weights Leads to Wider Optima and Better
Generalization, UAI 2018, https://arxiv.org/abs/1803.05407; here with weights that fall off exponentially
(Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging, 1992), so that early steps are
forgotten.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """An exponential average of meta-parameters, kept beside them.

    Args:
        parameters: by name; read after every outer step, changed inside `in_place` alone.
        decay: what is left of the average in a step, from 0 (the latest values) to below 1.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._parameters, self._decay, self._steps = parameters, decay, 0
        self._values: dict[str, Tensor] = {}

    def update(self) -> None:
        """Called after every outer step; the first steps weigh alike, so that the start is forgotten."""
        self._steps += 1
        share = max(1 - self._decay, 1 / self._steps)
        for name, parameter in self._parameters.items():
            value = parameter.detach()
            self._values[name] = torch.lerp(self._values.get(name, value), value, share)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters have the averaged values inside, and their own again afterwards."""
        own = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        self.put()
        try:
            yield
        finally:
            self._write(own)

    def put(self) -> None:
        """Gives the parameters the averaged values for good."""
        self._write(self._values)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The averaged values, and of how many steps they are."""
        return dict(self._values), {"steps": self._steps}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Takes what `state` gave."""
        places = {name: parameter.device for name, parameter in self._parameters.items()}
        self._values = {name: value.to(places[name]) for name, value in tensors.items()}
        self._steps = facts["steps"]

    def _write(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                self._parameters[name].copy_(value)

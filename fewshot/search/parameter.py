"""One searched argument: a range of numbers or a choice, as Optuna draws it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Condition = tuple[str, frozenset[str]]
LOG = "log"
FORMS = "[low, high], [low, high, log], {low: , high: , step: , log: } or {choices: [...]}"


class WrongParameter(Exception):  # noqa: N818 - never leaves the reading of a space
    """Why a line of a search space cannot be read."""


@dataclass(frozen=True)
class Parameter:
    """A searched argument.

    Args:
        name: what reports call it.
        key: the argument, with its group: 'algorithm.inner_lr'; a group alone for the choice of a class.
        distribution: where its values come from.
        choices: the values by what the distribution calls them; empty for numbers.
        when: the choice of a class that it depends on, and the names there that have it; None for all.
    """

    name: str
    key: str
    distribution: BaseDistribution
    choices: Mapping[Any, Any]
    when: Condition | None = None

    def asked(self, chosen: Mapping[str, Any]) -> bool:
        """Whether it is there for what has been chosen so far."""
        return self.when is None or chosen.get(self.when[0]) in self.when[1]

    def suggest(self, trial: Trial) -> Any:
        """A value as Optuna records it."""
        return trial._suggest(self.name, self.distribution)  # by its kind, what suggest_* do

    def value(self, drawn: Any) -> Any:
        """The argument's value."""
        return self.choices[drawn] if self.choices else drawn

    def drawn(self, value: Any) -> Any:
        """What Optuna records for a value.

        Raises:
            LookupError: the value is not in the space.
        """
        if self.choices:
            for name, each in self.choices.items():
                if each == value and isinstance(each, bool) == isinstance(value, bool):
                    return name
            raise LookupError(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise LookupError(value)
        if not self.distribution._contains(value):
            raise LookupError(value)
        return value

    def ends(self) -> list[Any]:
        """Values to try for their type: all choices, or the two ends."""
        if self.choices:
            return list(self.choices.values())
        return [self.distribution.low, self.distribution.high]  # type: ignore[attr-defined]


def read_parameter(name: str, key: str, content: Any, now: Any, when: Condition | None) -> Parameter:
    """Reads one line of a space.

    Args:
        name: see `Parameter`.
        key: likewise.
        content: what the file says.
        now: the argument's default: whole numbers are searched among whole numbers where it is one.
        when: see `Parameter`.

    Raises:
        WrongParameter: what is wrong.
    """
    if isinstance(content, list) and not _is_range(content):
        content = {"choices": content}
    if isinstance(content, list):
        content = {"low": content[0], "high": content[1], "log": content[2:] == [LOG]}
    if not isinstance(content, dict):
        raise WrongParameter(f"{content!r} is no range and no choice; write {FORMS}")
    if "choices" in content:
        return Parameter(name, key, *_choice(content), when)
    return Parameter(name, key, _range(content, now), {}, when)


def _is_range(content: list[Any]) -> bool:
    """Two numbers, or two numbers and 'log'."""
    numbers, rest = content[:2], content[2:]
    return len(numbers) == 2 and all(map(_number, numbers)) and rest in ([], [LOG])


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _choice(content: Mapping[str, Any]) -> tuple[BaseDistribution, dict[Any, Any]]:
    values = content["choices"]
    if set(content) != {"choices"} or not isinstance(values, list) or not values:
        raise WrongParameter("a choice has one value or more, and nothing beside them: {choices: [...]}")
    try:
        named = {value if _plain(value) else json.dumps(value, sort_keys=True): value for value in values}
    except TypeError as error:
        raise WrongParameter(f"a choice is no plain value: {error}") from error
    if len(named) < len(values):
        raise WrongParameter("a value stands in the choices twice")
    return CategoricalDistribution(list(named)), named


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _decimal(value: float) -> Decimal:
    return Decimal(str(value))


def _last(low: float, high: float, step: float) -> float:
    """The last value that whole steps from `low` reach; whole where all three are."""
    start, width = _decimal(low), _decimal(step)
    last = start + (_decimal(high) - start) // width * width
    return int(last) if all(isinstance(each, int) for each in (low, high, step)) else float(last)


def _range(content: Mapping[str, Any], now: Any) -> BaseDistribution:
    strange = set(content) - {"low", "high", "step", "log"}
    if strange or not {"low", "high"} <= set(content):
        raise WrongParameter(f"keys {sorted(map(str, content))}; write {FORMS}")
    low, high, step, log = (content.get(name) for name in ("low", "high", "step", "log"))
    if not (_number(low) and _number(high) and math.isfinite(low) and math.isfinite(high)):  # type: ignore[arg-type]
        raise WrongParameter(f"the ends {low!r} and {high!r} are not numbers")
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if low >= high:
        raise WrongParameter(f"the range from {low} to {high} is empty")
    if log and low <= 0:
        raise WrongParameter(f"a logarithmic range cannot begin at {low}: it has no logarithm")
    if step is not None:
        if log or not _number(step) or not 0 < _decimal(step) <= _decimal(high) - _decimal(low):
            raise WrongParameter(f"the step {step!r} does not fit a range from {low} to {high}")
        high = _last(low, high, step)
    whole = all(isinstance(each, int) for each in (low, high, step or 1)) and not isinstance(now, float)
    if whole:
        return IntDistribution(int(low), int(high), log=bool(log), step=step or 1)
    return FloatDistribution(float(low), float(high), log=bool(log), step=step and float(step))

"""The search space: which arguments vary, and over what."""

import copy
import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna import Trial

from fewshot.choice import CLASSES
from fewshot.errors import InputError
from fewshot.search.parameter import Parameter

Config = Mapping[str, Any]


class Space:
    """Arguments that vary, each with its values.

    Args:
        parameters: choices of classes come before what depends on them.
        classes: by group, the `class_path` and `init_args` of each name that can be chosen.
    """

    def __init__(
        self, parameters: Sequence[Parameter], classes: Mapping[str, Mapping[str, Config]] | None = None
    ) -> None:
        self.parameters, self._classes = tuple(parameters), classes or {}

    def draw(self, trial: Trial) -> dict[str, Any]:
        """The values of one trial by parameter, as Optuna records them."""
        chosen: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.asked(chosen):
                chosen[parameter.name] = parameter.suggest(trial)
        return chosen

    def config(self, base: Config, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration with the chosen values in it.

        Args:
            base: what the values replace, in the form of `config.yaml`.
            chosen: by parameter, as Optuna records them.
        """
        made = copy.deepcopy(dict(base))
        for parameter in self.parameters:
            if parameter.name in chosen:
                self._set(made, parameter, chosen[parameter.name])
        return made

    def default(self, base: Config) -> dict[str, Any] | None:
        """What is chosen where nothing is changed; None where that is outside of the space."""
        chosen: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.asked(chosen):
                try:
                    chosen[parameter.name] = self._now(base, parameter)
                except LookupError:
                    return None
        return chosen

    def needed(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """First values of what the chosen classes cannot do without."""
        found = {}
        for parameter in self.parameters:
            group, *path = parameter.key.split(".")
            if parameter.when and parameter.asked(chosen) and len(path) == 1 and group in self._classes:
                kind = pkgutil.resolve_name(self._classes[group][chosen[group]]["class_path"])
                if inspect.signature(kind).parameters[path[0]].default is inspect.Parameter.empty:
                    found[parameter.name] = next(iter(parameter.choices or parameter.ends()))
        return found

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every combination of choices.

        Raises:
            InputError: a range, which has no end of values.
        """
        ranges = [parameter.name for parameter in self.parameters if not parameter.choices]
        if ranges:
            raise InputError(
                "a grid has choices alone",
                where="search",
                got=f"ranges: {', '.join(ranges)}",
                needed="{choices: [...]} for each of them",
                fix="list their values, or take --sampler random",
            )
        return self._combinations({}, self.parameters)

    def _combinations(self, chosen: dict[str, Any], left: Sequence[Parameter]) -> Iterator[dict[str, Any]]:
        if not left:
            yield chosen
            return
        first, rest = left[0], left[1:]
        if not first.asked(chosen):
            yield from self._combinations(chosen, rest)
            return
        for name in first.choices:
            yield from self._combinations(chosen | {first.name: name}, rest)

    def _set(self, config: dict[str, Any], parameter: Parameter, drawn: Any) -> None:
        group, *path = parameter.key.split(".")
        if not path:
            if not self._is_now(config[group], group, drawn):
                config[group] = copy.deepcopy(dict(self._classes[group][drawn]))
            return
        place = config.setdefault(group, {})
        if group in CLASSES:
            place = place.setdefault("init_args", {})
        for name in path[:-1]:
            if not isinstance(place.get(name), dict):
                place[name] = {}
            place = place[name]
        place[path[-1]] = parameter.value(drawn)

    def _is_now(self, present: Config, group: str, drawn: Any) -> bool:
        """Whether a name stands for the class that is there, which then keeps its arguments."""
        try:
            return bool(self._class_now(present, self._classes[group]) == drawn)
        except LookupError:
            return False

    def _now(self, base: Config, parameter: Parameter) -> Any:
        """What a parameter is in a configuration; LookupError where the space does not have it."""
        if parameter.key in CLASSES:
            return self._class_now(base[parameter.key], self._classes[parameter.key])
        return parameter.drawn(value_in(base, parameter.key))

    @staticmethod
    def _class_now(present: Config, classes: Mapping[str, Config]) -> str:
        """The name of the class that a configuration has; LookupError where the space does not have it."""
        kind, arguments = pkgutil.resolve_name(present["class_path"]), present.get("init_args", {})
        fitting = {
            name: len(made.get("init_args", {}))
            for name, made in classes.items()
            if pkgutil.resolve_name(made["class_path"]) is kind
            and made.get("init_args", {}).items() <= arguments.items()
        }
        if not fitting:
            raise LookupError(present["class_path"])
        return max(fitting, key=lambda name: fitting[name])


def value_in(config: Config, key: str) -> Any:
    """The value of an argument such as 'model.lora.rank' in a configuration; LookupError if it has none."""
    group, *path = key.split(".")
    place: Any = config[group]
    if group in CLASSES:
        place = place.get("init_args", {})
    for name in path:
        if not isinstance(place, dict):
            raise LookupError(key)
        place = place[name]
    return place

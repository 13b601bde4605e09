"""The search space: which arguments vary, and over what."""

import copy
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna import Trial

from fewshot.choice import CLASSES
from fewshot.errors import InputError
from fewshot.search.parameter import Parameter

Config = Mapping[str, Any]
SEARCHED = (*CLASSES, "training")


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

    def _now(self, base: Config, parameter: Parameter) -> Any:
        """What a parameter is in a configuration; LookupError where the space does not have it."""
        if parameter.key in CLASSES:
            return self._class_now(base[parameter.key], self._classes[parameter.key])
        return parameter.drawn(value_in(base, parameter.key))

    @staticmethod
    def _class_now(present: Config, classes: Mapping[str, Config]) -> str:
        """The name of the class that a configuration has; LookupError where the space does not have it."""
        kind, arguments = pkgutil.resolve_name(present["class_path"]), present.get("init_args", {})
        for name, made in classes.items():
            same = pkgutil.resolve_name(made["class_path"]) is kind
            if same and made.get("init_args", {}).items() <= arguments.items():
                return name
        raise LookupError(present["class_path"])


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

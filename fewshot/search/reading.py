"""Reads the `search` section of a configuration; says all that is wrong with it at once."""

import contextlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import partial
from typing import Any

from fewshot.algorithms.algorithms import BASELINES
from fewshot.choice import CLASSES
from fewshot.complaints import constructor_arguments
from fewshot.errors import InputError, nearest
from fewshot.importing import imported
from fewshot.outer import Training
from fewshot.search.parameter import Condition, Parameter, WrongParameter, read_parameter
from fewshot.search.space import Config, Space, value_in

TRAINING = "training"


def read_space(content: Config, base: Config) -> Space:
    """The space that a `search` section describes.

    Args:
        content: as it stands in the file: by argument its values; by group (`algorithm`) the names of
            classes, as a list or with the space of each.
        base: the configuration that is searched around, with every default.

    Raises:
        InputError: what is wrong with it, all at once.
    """
    if not content:
        raise InputError(
            "there is nothing to search",
            where="search",
            got="no section `search` in the configuration",
            needed="arguments and their values, such as search: {algorithm.inner_lr: [1e-3, 1, log]}",
        )
    reader = _Reader(base)
    for key in sorted(content, key=lambda key: key not in CLASSES):  # what others depend on comes first
        reader.read(key, content[key])
    if reader.problems:
        count = len(reader.problems)
        raise InputError(
            f"the search space has {count} error{'s' if count > 1 else ''}",
            where="search",
            got="".join(f"\n    {problem}" for problem in reader.problems),
            needed="arguments of family, model, algorithm and training, each with values to choose from",
        )
    return Space(reader.parameters, reader.classes)


class _Reader:
    """Collects parameters and problems."""

    def __init__(self, base: Config) -> None:
        self._base = base
        self.parameters: list[Parameter] = []
        self.problems: list[str] = []
        self.classes: dict[str, dict[str, Config]] = {}
        self._kinds: dict[str, dict[str, type]] = {}  # that can be chosen, by group and name
        present: dict[str, type] = {
            group: pkgutil.resolve_name(base[group]["class_path"]) for group in CLASSES
        }
        self._present = present | {TRAINING: Training}

    def read(self, key: Any, content: Any) -> None:
        """Reads one line."""
        if not isinstance(key, str):
            self.problems.append(f"{key!r}: unknown")
        elif key in CLASSES:
            self._read_classes(key, content)
        elif key.split(".")[0] in self._kinds:
            self._read_conditional(key, content)
        elif key in self._known():
            when = self._of_trained(key)
            if when is None or when[1]:
                self._add(key, key, content, when)
            else:
                self.problems.append(f"{key}: none of the algorithms is trained")
        else:
            self._unknown(key, key)

    def _of_trained(self, key: str) -> Condition | None:
        """The outer loop is there for what is trained alone."""
        kinds = self._kinds.get("algorithm", {})
        trained = frozenset(name for name, kind in kinds.items() if getattr(kind, "trainable", True))
        return ("algorithm", trained) if key.startswith(TRAINING) and len(trained) < len(kinds) else None

    def _read_conditional(self, key: str, content: Any) -> None:
        """An argument of those classes of a choice that have it."""
        group, _, argument = key.partition(".")
        having = (name for name, kind in self._kinds[group].items() if _takes(kind, argument))
        if names := frozenset(having):
            self._add(key, key, content, (group, names))
        else:
            self._unknown(key, key)

    def _read_classes(self, group: str, content: Any) -> None:
        names = isinstance(content, list) and all(isinstance(name, str) for name in content)
        spaces = {name: {} for name in content} if names else content
        if not isinstance(spaces, dict) or not spaces:
            self.problems.append(f"{group}: {content!r} is neither a list of names nor a space for each")
            return
        found = {name: class_named(group, name) for name in spaces}
        known = {name: each for name, each in found.items() if each}
        for name in (name for name in found if name not in known):
            self.problems.append(f"{group}: unknown class {name!r}{_meant(name, _names(group))}")
        self.classes[group] = {name: config for name, (config, _) in known.items()}
        self._kinds[group] = {name: kind for name, (_, kind) in known.items()}
        if known:
            self._add(group, group, {"choices": list(known)}, None)
        for name in known:
            self._read_space_of(group, name, spaces[name])

    def _read_space_of(self, group: str, name: str, content: Any) -> None:
        if not isinstance(content, dict | None):
            self.problems.append(f"{group}.{name}: {content!r} is no space; write {{}} where it has none")
            return
        for argument, values in (content or {}).items():
            key, written = f"{group}.{argument}", f"{group}.{name}.{argument}"
            if _takes(self._kinds[group][name], argument):
                self._add(written, key, values, (group, frozenset([name])))
            else:
                self._unknown(key, written)

    def _add(self, name: str, key: str, content: Any, when: Condition | None) -> None:
        try:
            now = None if key in CLASSES else self._now(key, when)
            made = read_parameter(name, key, content, now, when)
            for other in self.parameters:
                if made.key not in CLASSES and other.key not in CLASSES and _overlap(made, other):
                    raise WrongParameter(f"the line {other.name} is about the same argument")
            if not made.choices and any(known.startswith(f"{key}.") for known in self._known()):
                raise WrongParameter("a group of settings is no number")
            self.parameters.append(made)
        except WrongParameter as error:
            self.problems.append(f"{name}: {error}")

    def _now(self, key: str, when: Condition | None) -> Any:
        """The default of an argument: of the configuration, or of the class that alone has it."""
        with contextlib.suppress(LookupError):
            return value_in(self._base, key)
        group, _, argument = key.partition(".")
        if when is None or when[0] != group:
            return None
        first, *rest = argument.split(".")
        value = inspect.signature(self._kinds[group][min(when[1])]).parameters[first].default
        for name in rest:
            value = getattr(value, name, None)
        return value

    def _unknown(self, key: str, written: str) -> None:
        self.problems.append(f"{written}: unknown{_meant(key, self._known())}")

    def _known(self) -> set[str]:
        """Every argument that can be searched."""
        kinds = {
            group: list(self._kinds[group].values()) if group in self._kinds else [kind]
            for group, kind in self._present.items()
        }
        return {
            f"{g}.{name}" for g, own in kinds.items() for kind in own for name in constructor_arguments(kind)
        }


def class_named(group: str, name: Any) -> tuple[Config, type] | None:
    """The configuration and the class that a name or an import path stands for; None where it is unknown.

    Baselines are algorithms too.
    """
    if not isinstance(name, str):
        return None
    made: Any = CLASSES[group].get(name) or (BASELINES.get(name) if group == "algorithm" else None)
    if made is None:
        try:
            made = imported(name)
        except (ImportError, AttributeError, ValueError):
            return None
    kind, arguments = (made.func, dict(made.keywords)) if isinstance(made, partial) else (made, {})
    if not isinstance(kind, type):
        return None
    config: dict[str, Any] = {"class_path": f"{kind.__module__}.{kind.__qualname__}"}
    return config | ({"init_args": arguments} if arguments else {}), kind


def _overlap(one: Parameter, other: Parameter) -> bool:
    short, long = sorted((one.key, other.key), key=len)
    apart = one.when and other.when and one.when[0] == other.when[0] and not one.when[1] & other.when[1]
    return not apart and (long == short or long.startswith(f"{short}."))


def _takes(kind: type, argument: str) -> bool:
    return argument in set(constructor_arguments(kind))


def _names(group: str) -> list[str]:
    return [*CLASSES[group], *(BASELINES if group == "algorithm" else ())]


def _meant(word: object, known: Mapping[str, Any] | set[str] | list[str]) -> str:
    close = nearest(str(word), known)
    return f"; did you mean {close!r}?" if close else ""

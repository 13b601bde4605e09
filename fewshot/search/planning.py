"""From a configuration with a `search` section to a plan, everything checked before anything is written."""

import itertools

from fewshot.config import GROUPS, parse_values
from fewshot.errors import InputError
from fewshot.search.plan import Plan
from fewshot.search.reading import read_space
from fewshot.search.settings import Search
from fewshot.search.space import Config, Space
from fewshot.search.study import make_sampler


def make_plan(base: Config, content: Config, settings: Search) -> Plan:
    """The plan of a search.

    Args:
        base: the default configuration, with every value.
        content: the `search` section.
        settings: how it is searched.

    Raises:
        InputError: a space that does not work, a search without validation, settings that do not fit.
    """
    _check_groups(base)
    _check_validation(base["validation"], settings)
    space = read_space(content, base)
    _check_values(space, base)
    make_sampler(settings, 0, space)
    default = space.default(base)
    if settings.sampler == "cmaes" and default is None:
        raise InputError(
            "the default lies outside of the space, and CMA-ES learns from it",
            where="--sampler cmaes",
            needed="ranges that contain the values of the default configuration",
            fix="widen them, or take --sampler tpe",
        )
    return Plan(base, space, settings, _points(space, default, settings))


def _check_validation(validation: Config, settings: Search) -> None:
    if validation["every"] < 1:
        raise InputError(
            "a search needs validation",
            where="validation.every",
            got=0,
            needed="1 or more: trials are judged by it",
        )
    if settings.target and validation["episodes"] < 2:
        raise InputError(
            "one validation episode has no interval for the target to hold with",
            where="validation.episodes",
            got=validation["episodes"],
            needed="2 or more",
        )


def _points(space: Space, default: Config | None, settings: Search) -> tuple[Config, ...] | None:
    """The combinations of a grid but for the default, which is trial 0; None where values are drawn."""
    if settings.sampler != "grid":
        return None
    points = tuple(point for point in space.grid() if point != default)
    if settings.trials is not None:
        raise InputError(
            "a grid has its own number of trials",
            where="--trials",
            got=settings.trials,
            needed=f"the {len(points)} combinations beside the default",
            fix="leave --trials out, or take --sampler random",
        )
    return points


def _check_groups(config: Config) -> None:
    """Refuses settings that are out of range, before anything is written."""
    for name, group in GROUPS.items():
        group(**config[name])


def _check_values(space: Space, base: Config) -> None:
    """Tries the ends of every range and every choice on the parser.

    Raises:
        InputError: values of the wrong type, all at once.
    """
    wrong = []
    for parameter in space.parameters:
        names = parameter.choices or parameter.ends()
        group, having = parameter.when or ("", {""})
        for name, owner in itertools.product(names, sorted(having)):
            chosen = {group: owner, parameter.name: name} if owner else {parameter.name: name}
            try:
                config = space.config(base, space.needed(chosen) | chosen)
                parse_values(config)
                _check_groups(config)
            except InputError as error:
                wrong.append(f"{parameter.name}: {parameter.value(name)!r}: {_got(error)}")
    if wrong:
        raise InputError(
            "the search space has values that their arguments do not take",
            where="search",
            got="".join(f"\n    {line}" for line in wrong),
            needed="values of the type that `fewshot search --help` shows",
        )


def _got(error: InputError) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line.removeprefix("got:").strip() for line in lines if line.startswith("got:")), lines[0])

"""The parser's complaints as messages of ours, with the nearest right name."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import get_args

from jsonargparse import ArgumentParser

from fewshot.choice import CLASSES
from fewshot.errors import InputError, listing, nearest

UNKNOWN = (
    re.compile(r"unrecognized arguments: (?P<option>\S+)"),
    re.compile(r"Option '(?P<option>[^']+)' is not accepted"),
    re.compile(r"does not accept option '(?P<option>[^']+)'"),
)

NO_CLASS = re.compile(r"Expected a dot import path string: (?P<name>\S+)")


def explained(complaint: str, parser: ArgumentParser) -> InputError:
    """The parser's complaint as a message of ours."""
    group = re.search(r'Parser key "([^"]+)"|Group \'([^\']+)\'', complaint)
    place = (group.group(1) or group.group(2)) if group else ""
    for pattern in UNKNOWN:
        found = pattern.search(complaint)
        if found:
            return _unknown(found["option"].split("=")[0].lstrip("-"), place, parser)
    found = NO_CLASS.search(complaint)
    if found and place in CLASSES:
        return _unknown_class(found["name"], place)
    lines = [line.strip(" -") for line in complaint.splitlines() if line.strip() and "Parser key" not in line]
    return InputError(
        "an option has a wrong value",
        where=f"--{place}" if place else "command line",
        got="; ".join(lines) or complaint.splitlines()[0],
        fix=f"`{parser.prog} --help` shows types and defaults",
    )


def _unknown_class(name: str, group: str) -> InputError:
    known = sorted(CLASSES[group])
    close = nearest(name, known)
    return InputError(
        f"unknown {group} {name!r}",
        where=f"--{group}",
        needed=f"{listing(known)}, or the import path of a class",
        fix=f"did you mean {close!r}?" if close else None,
    )


def _unknown(option: str, place: str, parser: ArgumentParser) -> InputError:
    full = f"{place}.{option}" if place and not option.startswith(f"{place}.") else option
    part = full.split(".")[0]
    if full in known_options(parser) and part in CLASSES:
        return InputError(
            f"the chosen {part} does not take --{full}",
            where="command line or configuration",
            fix=f"choose one that does by --{part} NAME; --{part}.help NAME lists what it takes",
        )
    close = nearest(full, known_options(parser))
    return InputError(
        f"unknown option --{full}",
        where="command line or configuration",
        needed=f"an option that `{parser.prog} --help` lists",
        fix=f"did you mean --{close}?" if close else None,
    )


def known_options(parser: ArgumentParser) -> set[str]:
    """Every option that some choice of classes would accept, without its dashes."""
    names = {string.lstrip("-") for action in parser._actions for string in action.option_strings}
    for group, classes in CLASSES.items():
        for kind in classes.values():
            names |= {f"{group}.{name}" for name in constructor_arguments(kind)}
    return names


def constructor_arguments(kind: type) -> Iterator[str]:
    """The constructor arguments of a class, with those of the settings classes among them, by a dot."""
    for parameter in inspect.signature(kind).parameters.values():
        yield parameter.name
        for settings in (parameter.annotation, *get_args(parameter.annotation)):
            if isinstance(settings, type) and dataclasses.is_dataclass(settings):
                yield from (f"{parameter.name}.{name}" for name in constructor_arguments(settings))

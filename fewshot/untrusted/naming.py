"""The names in a configuration of what would be imported, in whatever form the parser of options takes them.

It reads texts as YAML where no text is wanted, takes `steps+` for steps that are added to others, and
`reading.cleaning` for what lies further down.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import yaml

from fewshot.untrusted.values import MalformedError
from fewshot.untrusted.yaml_files import parse_yaml

PARTS = ("family", "model", "algorithm")
STRUCTURE = "[{:-"  # without one of these no text is more than a word
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # that of the parser


class Use(Enum):
    """What a text would be used as."""

    CLASS = "class"
    FUNCTION = "function"
    OTHER = "other"  # a plain value, or a class where the argument takes one


USES = {"class_path": Use.CLASS, "steps": Use.FUNCTION, "operations": Use.FUNCTION}


def named(config: Mapping[str, Any]) -> Iterator[tuple[str, Use]]:
    """Every text in the parts of a configuration, and what it is used as.

    Raises:
        MalformedError: a text that the parser would read as YAML beyond what a file may hold.
    """
    waiting: list[tuple[Use, Any]] = [(Use.CLASS, config[part]) for part in PARTS if part in config]
    while waiting:
        use, value = waiting.pop()
        if isinstance(value, str):
            yield value, use
            value = _within(value)
        if isinstance(value, Mapping):
            waiting += [(_use(key), each) for key, each in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(use, each) for each in value]


def _use(key: object) -> Use:
    return USES.get(str(key).rstrip("+").rpartition(".")[2], Use.OTHER)


def _within(text: str) -> Any:
    """The mapping or list that a text is written out as, else None."""
    if not any(sign in text for sign in STRUCTURE):
        return None
    try:
        value = parse_yaml(text)
    except MalformedError as error:
        if isinstance(error.__context__, yaml.YAMLError) and not _is_read(text):
            return None
        raise
    return None if isinstance(value, str) else value


def _is_read(text: str) -> bool:
    """Whether the parser's own reader, which is another one, takes a text."""
    try:
        LOADER(text).get_single_data()
    except yaml.YAMLError:
        return False
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return True
    return True

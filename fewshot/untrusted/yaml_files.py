"""YAML within limits: plain values alone, and no more of them than memory holds.

Tags of Python objects are refused, and aliases that a few lines multiply ("billion laughs"). The refusals are
those of `values`.
"""

from pathlib import Path
from typing import Any

import yaml

from fewshot.untrusted.values import DEEPEST, SHOWN, SMALL, MalformedError, check_value, read_text

LONGEST_INTEGER = 20  # digits of 2**64
LONGEST_YAML = 1 << 19  # characters: some seconds of PyYAML
MOST_VALUES = 200_000  # of a file, with each alias counted as what it stands for
# what PyYAML raises of such as `!!int a` and `!!timestamp a`
UNREAD = (ValueError, TypeError, OverflowError, LookupError, AttributeError)


class _Loader(yaml.SafeLoader):
    """Plain values alone; dates stay texts, as for the parser of options."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Stops at a depth that takes PyYAML long to come back from."""
        self.depth += 1
        if self.depth > DEEPEST + 1:
            raise MalformedError(f"values nested deeper than {DEEPEST}")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
    for sign, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        MalformedError: no YAML, a tag of a Python object, or beyond the limits of this module.
    """
    if len(text) > LONGEST_YAML:
        raise MalformedError(f"YAML of more than {LONGEST_YAML:,} characters")
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node)
        value = loader.construct_document(node)
    except RecursionError:
        raise MalformedError(f"values nested deeper than {DEEPEST}") from None
    except yaml.YAMLError as error:
        raise MalformedError(" ".join(str(error).split())) from None
    except MalformedError:
        raise
    except UNREAD as error:
        said = " ".join(str(error).split())[:200]
        raise MalformedError(f"a value that is not what its tag says: {said}") from None
    finally:
        if loader is not None:
            loader.dispose()
    check_value(value, numbers=False)  # an option may be infinite; integers were looked at as they were read
    return value


def read_yaml(file: Path, most: int = SMALL) -> Any:
    """The value of a YAML file; see `parse_yaml`.

    Args:
        file: where it is.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read.
        MalformedError: no YAML in UTF-8, or beyond the limits.
        UnicodeDecodeError: no UTF-8.
    """
    return parse_yaml(read_text(file, most))


def front_matter(card: str) -> Any:
    """The YAML at the head of a card, as the hub's library finds it; None where it has none.

    Raises:
        MalformedError: see `parse_yaml`.
    """
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    found = REGEX_YAML_BLOCK.search(card)
    return parse_yaml(found[2]) if found else None


def _size(node: yaml.Node, known: dict[int, int] | None = None) -> int:
    """How many values a node stands for, each alias with all that it names.

    Raises:
        MalformedError: too many, or a node within itself.
    """
    known = {} if known is None else known
    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:int" and len(node.value) > LONGEST_INTEGER + 1:
            raise MalformedError("a number of more than 64 bits")
        return 1
    if id(node) in known:
        if known[id(node)] == 0:
            raise MalformedError("a value that holds itself")
        return known[id(node)]
    known[id(node)] = 0
    pairs = isinstance(node, yaml.MappingNode)
    below = [each for pair in node.value for each in pair] if pairs else node.value
    found = 1
    for each in below:
        found += _size(each, known)
        if found > MOST_VALUES:
            raise MalformedError(f"more than {MOST_VALUES:,} values, by aliases of aliases or by themselves")
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
    known[id(node)] = found
    return found


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if (key.tag, key.value) in seen:
                line = key.start_mark.line + 1
                raise MalformedError(f"line {line}: the key {key.value[:SHOWN]!r} stands twice")
            seen.add((key.tag, key.value))

"""JSON, YAML and names of files that strangers may have written, read within limits.

What is refused: more bytes than a file of its kind has, values nested deeper than any of ours, numbers that
are not finite or have more than 64 bits, keys that stand twice, YAML's tags of Python objects, and aliases
that a few lines multiply into more values than memory holds ("billion laughs"). Every refusal is a
`MalformedError`, a `ValueError` of one line, so that who reads a file says where.
"""

import json
import math
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import yaml

from fewshot.errors import InputError

DEEPEST = 64  # lists and objects in each other
LONGEST_INTEGER = 20  # digits of 2**64
SMALL, LARGE = 4 << 20, 1 << 30  # bytes of a file that people write, and of one that programs write
LONGEST_YAML = 1 << 19  # characters: some seconds of PyYAML
MOST_VALUES = 200_000  # of a YAML file, with each alias counted as what it stands for
SHOWN = 40  # characters of a key in a message
# what PyYAML raises of such as `!!int a` and `!!timestamp a`
UNREAD = (ValueError, TypeError, OverflowError, LookupError, AttributeError)
Pairs = list[tuple[str, Any]]


class MalformedError(ValueError):
    """What was read is not well-formed, or larger than it may be; says so in one line."""


def parse_json(text: str | bytes, numbers: bool = True) -> Any:
    """The value of a JSON text.

    Args:
        text: UTF-8 where it is bytes.
        numbers: whether NaN, Infinity and integers of more than 64 bits are refused.

    Raises:
        MalformedError: no JSON, or beyond the limits of this module. Where JSON itself is broken it is a
            `json.JSONDecodeError`, which knows the place.
    """
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise MalformedError(f"values nested deeper than {DEEPEST}") from None
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError:
        raise MalformedError("bytes that are no UTF-8") from None
    except MalformedError:
        raise
    except ValueError:  # Python's own limit on the digits of a number
        raise MalformedError("a number of more than 64 bits") from None
    _check(value, numbers)
    return value


def read_json(file: Path, most: int = LARGE, numbers: bool = True) -> Any:
    """The value of a JSON file; see `parse_json`.

    Args:
        file: where it is.
        most: bytes that it may have.
        numbers: see `parse_json`.

    Raises:
        OSError: it cannot be read.
        MalformedError: no JSON in UTF-8, or beyond the limits.
    """
    return parse_json(read_text(file, most), numbers)


def read_text(file: Path, most: int = LARGE) -> str:
    """The text of a file.

    Args:
        file: where it is.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read.
        MalformedError: too large, no ordinary file.
        UnicodeDecodeError: no UTF-8.
    """
    with file.open("rb") as content:
        found = content.read(most + 1)
    if len(found) > most:
        raise MalformedError(f"a file of more than {most:,} bytes")
    return found.decode("utf-8")


def bounded_lines(stream: IO[str], most: int) -> Iterator[str]:
    """The lines of a text; what is longer than `most` characters comes cut, one character over.

    A line without an end would else be read until memory is full.
    """
    while line := stream.readline(most + 1):
        yield line
        while len(line) > most and not line.endswith("\n") and (line := stream.readline(most + 1)):
            pass  # the rest of it


def _once(pairs: Pairs) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise MalformedError(f"the key {key[:SHOWN]!r} stands twice in one object")
            seen.add(key)
    return found


def _check(value: Any, numbers: bool) -> None:
    """Walks without recursion: a value may be deeper than Python calls go."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is dict:
                below += each.values()
            elif kind is list:
                below += each
            elif kind is float and numbers and not math.isfinite(each):
                raise MalformedError("a number that is not finite")
            elif kind is int and numbers and not -(2**63) <= each < 2**64:
                raise MalformedError("a number of more than 64 bits")
        depth += any(type(each) in (dict, list) for each in level)
        if depth > DEEPEST:
            raise MalformedError(f"values nested deeper than {DEEPEST}")
        level = below


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
    _check(value, numbers=False)  # an option may be infinite; integers were looked at as they were read
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
    """The YAML at the head of a card, between two lines of dashes; None where it has none.

    Raises:
        MalformedError: see `parse_yaml`.
    """
    lines = card.splitlines()
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        return None
    return parse_yaml("\n".join(lines[1 : lines.index("---", 1)]))


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


def inside(folder: Path, name: object, where: object) -> Path:
    """The path of a file that something else names, which has to lie in `folder`.

    Args:
        folder: where it may lie.
        name: relative, "/" between folders.
        where: which file or option names it, for the message.

    Raises:
        InputError: a name that leads elsewhere: absolute, with "..", with a backslash, a NUL or a drive, or
            by a symbolic link.
    """
    text = str(name)
    parts = text.split("/")
    plain = isinstance(name, str) and not any(sign in text for sign in "\\\0\n\r") and ":" not in parts[0]
    if not plain or not text or text.startswith(("/", "~")) or any(part in ("", ".", "..") for part in parts):
        raise outside(text, where)
    return stays(folder, folder / text, where)


def stays(folder: Path, path: Path, where: object) -> Path:
    """A path that was put together, unless a symbolic link leads it out of its folder.

    Raises:
        InputError: it leads elsewhere.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise outside(str(path), where, "a symbolic link that leads out of the folder")
    return path


def outside(name: str, where: object, got: str | None = None) -> InputError:
    """What to say of a name that leads out of its folder."""
    return InputError(
        "a file is named that lies elsewhere",
        where=where,
        got=f"{name!r}" + (f", {got}" if got else ""),
        needed="the name of a file in the same folder or below it, without '..', links and backslashes",
    )


def is_ordinary(path: Path) -> bool:
    """Whether a path is a file that ends, and no pipe or device."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False

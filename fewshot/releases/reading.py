"""The files of a release, read line by line; what is wrong in one is said with its line."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from fewshot.errors import InputError, listing
from fewshot.releases.tree import Tree
from fewshot.untrusted.values import MalformedError, parse_json


class Reader:
    """Reads files of one tree, and keeps the SHA-256 of each.

    Args:
        tree: the release.
        lenient: bytes that are not UTF-8 become U+FFFD, each, and are counted, where they else are refused.
    """

    def __init__(self, tree: Tree, lenient: bool = False) -> None:
        self.tree = tree
        self.digests: dict[str, str] = {}
        self._lenient, self._mended = lenient, 0

    def lines(self, name: str) -> Iterator[tuple[int, str]]:
        """Line numbers from 1 and the lines that are not blank.

        Raises:
            InputError: no such file, or a line that is not UTF-8 and may not be mended.
        """
        content = self.tree.read(name)
        self.digests[name] = hashlib.sha256(content).hexdigest()
        # not splitlines(): it would also end a line at characters that stand inside of texts
        for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
            text = self._decoded(name, number, line)
            if text.strip():
                yield number, text.rstrip("\r")

    def _decoded(self, name: str, number: int, line: bytes) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            if self._lenient:
                self._mended += 1
                return line.decode("utf-8", errors="replace")
            got = f"the byte {line[error.start]:#04x}"
            raise self.malformed(name, f"line {number}", got, "UTF-8") from error

    def notes(self) -> list[str]:
        """What SOURCE.md should say of how the files were read."""
        said = f"{self._mended} lines are not UTF-8 upstream: what is none of it became U+FFFD."
        return [said] if self._mended else []

    def objects(self, name: str, needed: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line numbers and the JSON objects of a file that has one a line.

        Raises:
            InputError: no such file, or a line that is no JSON object.
        """
        for number, line in self.lines(name):
            try:
                value = parse_json(line)
            except json.JSONDecodeError as error:
                raise self.malformed(name, f"line {number}", _excerpt(line), needed) from error
            except MalformedError as error:
                raise self.malformed(name, f"line {number}", error, needed) from error
            if not isinstance(value, dict):
                raise self.malformed(name, f"line {number}", _excerpt(line), needed)
            yield number, value

    def array(self, name: str, needed: str) -> list[Any]:
        """The values of a file that is one JSON array; none where the file is empty.

        Raises:
            InputError: no such file, or one that is no JSON array.
        """
        lines = list(self.lines(name))
        if not lines:
            return []
        try:
            value = parse_json("\n".join(line for _, line in lines))
        except json.JSONDecodeError as error:
            number, line = lines[error.lineno - 1]
            got = f"{error.msg}: {_excerpt(line[max(0, error.colno - 20) :])}"
            raise self.malformed(name, f"line {number}", got, needed) from error
        except MalformedError as error:
            raise self.malformed(name, "line 1", error, needed) from error
        if not isinstance(value, list):
            raise self.malformed(name, "line 1", _excerpt(lines[0][1]), needed)
        return value

    def words(self, name: str) -> list[str]:
        """The lines of a list of names, without the blanks around them."""
        return [line.strip() for _, line in self.lines(name)]

    def malformed(self, name: str, place: str, got: object, needed: str) -> InputError:
        """What to say of a line or a row that is not as the release has it."""
        return InputError(
            "a part of the release cannot be read",
            where=self.tree.where(name, place),
            got=got,
            needed=needed,
            fix="fetch the release again; this copy was changed or cut off",
        )

    def check_present(self, listed: Sequence[str], present: Iterator[str] | set[str], name: str) -> None:
        """Holds a list of classes against the classes that there are.

        Raises:
            InputError: classes that are listed in the file `name` but have no row.
        """
        absent = sorted(set(listed) - set(present))
        if absent:
            raise InputError(
                "classes are listed that have no rows",
                where=self.tree.where(name),
                got=listing(absent),
                needed="classes that the data file has",
                fix="fetch the release again; its lists and its data are not of one version",
            )


def shown(value: object) -> str:
    """A value as JSON, cut to what fits a message."""
    return _excerpt(json.dumps(value, ensure_ascii=False))


def _excerpt(line: str) -> str:
    line = line.strip()
    return line if len(line) <= 60 else line[:57] + "..."

"""What a data file may be, looked at before a reader takes it: line by line, packed or not.

The readers unpack without end, take lines of any length into memory, and the one for JSON ends the process at
objects nested some ten thousand deep.
"""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

from fewshot.errors import InputError
from fewshot.untrusted.values import DEEPEST, read_text
from fewshot.untrusted.yaml_files import front_matter, parse_yaml

LONGEST_LINE = 64 << 20  # bytes
MOST_UNPACKED = 16 << 30  # bytes
BLOCK = 1 << 20
PACKED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
DAMAGE = (OSError, EOFError, RuntimeError, UnicodeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
NO_BRACKETS = bytes(sign for sign in range(256) if sign not in b"[]{}\n")
Content: TypeAlias = IO[bytes] | gzip.GzipFile
CARDS = ("README.md", ".huggingface.yaml")  # where `datasets` reads which files are the data
LARGEST_CARD = 16 << 20  # bytes


def check_lines(file: Path, json_lines: bool) -> None:
    """Refuses a text file that a reader would choke on; one that is damaged is left to the reader.

    Args:
        file: a text file, perhaps packed by gzip.
        json_lines: whether each line is a JSON value.

    Raises:
        InputError: lines that are too long, or nested too deep; more than `MOST_UNPACKED` bytes.
    """
    try:
        with _opened(file) as content:
            plain = _is_plain(content, json_lines, _most(file))
        if not plain:
            with _opened(file) as content:
                _check_lines(file, content, json_lines)
    except DAMAGE:
        return


def _opened(file: Path) -> Content:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")


def _most(file: Path) -> float:
    """Bytes that a text may have: where it is packed, a small file may be a large one."""
    return MOST_UNPACKED if file.suffix in PACKED else float("inf")


def _is_plain(content: Content, json_lines: bool, most: float) -> bool:
    """Whether no line can be too long or too deep: by blocks, which takes a sixth of the time of lines."""
    length = brackets = size = 0  # of the line that is not ended yet, and of all of them
    while block := content.read(BLOCK):
        size += len(block)
        first = block.find(b"\n")
        if size > most or length + (len(block) if first < 0 else first) > LONGEST_LINE:
            return False
        length = length + len(block) if first < 0 else len(block) - block.rfind(b"\n") - 1
        if json_lines:
            own, *others = block.translate(None, NO_BRACKETS).split(b"\n")
            brackets += len(own)
            if max(brackets, *map(len, others), 0) > DEEPEST:
                return False
            brackets = len(others[-1]) if others else brackets
    return True


def _check_lines(file: Path, content: Content, json_lines: bool) -> None:
    number = size = 0
    while line := content.readline(LONGEST_LINE + 1):
        number += 1
        size += len(line)
        if len(line) > LONGEST_LINE:
            raise InputError(
                "a line is too long",
                where=f"{file}, line {number}",
                got=f"more than {LONGEST_LINE:,} bytes",
                needed="one row a line",
            )
        if size > _most(file):
            raise _too_large(file)
        if json_lines and line.count(b"[") + line.count(b"{") > DEEPEST and deepest(line) > DEEPEST:
            raise InputError(
                "a line is nested too deep",
                where=f"{file}, line {number}",
                got=f"lists and objects in each other, more than {DEEPEST}",
                needed="texts and numbers",
            )


def deepest(line: bytes) -> int:
    """How deep lists and objects of a JSON text are nested; what stands in strings does not count."""
    depth = most = 0
    text, escaped = False, False
    for sign in line:
        if text:
            text = escaped or sign != 0x22
            escaped = sign == 0x5C and not escaped
        elif sign == 0x22:
            text = True
        elif sign in b"[{":
            depth += 1
            most = max(most, depth)
            if most > DEEPEST:
                break
        elif sign in b"]}":
            depth -= 1
    return most


def check_folder(folder: Path, files: Iterable[Path]) -> None:
    """Refuses a folder whose card leads elsewhere, or whose files unpack without end.

    Args:
        folder: of data.
        files: all those in it.

    Raises:
        InputError: either, or a card beyond the limits of YAML.
    """
    for name in CARDS:
        if (folder / name).is_file():
            _check_card(folder / name)
    for file in files:
        if file.suffix in PACKED or zipfile.is_zipfile(file):
            _check_unpacked(file)


def _check_card(card: Path) -> None:
    """Which files are the data may stand at the head of a card; they have to lie beside it."""
    try:
        text = read_text(card, LARGEST_CARD)
        content = front_matter(text) if card.suffix == ".md" else parse_yaml(text)
    except (OSError, ValueError) as error:
        raise InputError("the card of the data cannot be read", where=card, got=error) from error
    waiting: list[Any] = [content.get("configs")] if isinstance(content, Mapping) else []
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            for name in ("data_dir", "data_files", "path"):
                _check_names(card, each.get(name))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _check_names(card: Path, value: Any) -> None:
    names = (
        value if isinstance(value, list) else list(value.values()) if isinstance(value, Mapping) else [value]
    )
    for name in names:
        if isinstance(name, str):
            parts = name.split("/")
            if (
                ".." in parts
                or "://" in name
                or "::" in name
                or parts[0] in ("", "~")
                or "\\" in name
                or "\0" in name
            ):
                raise InputError(
                    "the card of the data names files that lie elsewhere",
                    where=card,
                    got=repr(name)[:200],
                    needed="names of files in the same folder or below it",
                )


def _check_unpacked(file: Path) -> None:
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                if sum(member.file_size for member in archive.infolist()) > MOST_UNPACKED:
                    raise _too_large(file)
            return
        size = 0
        with PACKED[file.suffix](file) as content:
            while block := content.read(BLOCK):
                size += len(block)
                if size > MOST_UNPACKED:
                    raise _too_large(file)
    except DAMAGE:
        return


def _too_large(file: Path) -> InputError:
    return InputError(
        "the file unpacks to more than data can be",
        where=file,
        got=f"{file.stat().st_size:,} bytes that become more than {MOST_UNPACKED:,}",
        needed=f"at most {MOST_UNPACKED:,}",
        fix="look into it before you trust it; split it where it is yours",
    )

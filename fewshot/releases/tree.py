"""A release as a read-only tree of files: a folder, an archive, or the URL of an archive.

Archives are read member by member. Nothing in them is ever written to a path that they name.
"""

import contextlib
import lzma
import os
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TypeVar

from fewshot.errors import InputError
from fewshot.releases.fetch import check_sha256, downloaded, opened
from fewshot.untrusted.paths import is_ordinary

Member = TypeVar("Member")
MOST = 1 << 30  # bytes of a file, unpacked
DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    UnicodeError,  # names in a zip
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)


@dataclass(frozen=True)
class Tree:
    """Files by their names below a root.

    Args:
        source: what the user gave, for messages.
        names: the files, sorted, "/" between folders.
        content: the bytes of a file; takes its name with the root before it.
        size: how many they are, as the archive says; they are never more.
        root: where the names begin: empty, or a folder that ends in "/".
    """

    source: str
    names: tuple[str, ...]
    content: Callable[[str], bytes]
    size: Callable[[str], int]
    root: str = ""

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            InputError: there is no such file, it is damaged, or larger than memory should hold.
        """
        if name not in self.names:
            raise InputError(
                "a file of the release is missing",
                where=self.source,
                needed=self.root + name,
                fix="fetch the release again; this copy is not complete",
            )
        if (size := self.size(self.root + name)) > MOST:
            raise InputError(
                "a file of the release is too large",
                where=self.where(name),
                got=f"{size:,} bytes, unpacked",
                needed=f"at most {MOST:,}",
                fix="look into it before you trust it",
            )
        try:
            return self.content(self.root + name)
        except DAMAGE as error:
            raise InputError(
                "a file of the release cannot be read",
                where=self.where(name),
                got=str(error) or type(error).__name__,
                needed="a whole file, without a password",
                fix="fetch the release again",
            ) from error

    def where(self, name: str, place: str = "") -> str:
        """What messages call a file, and a place in it such as 'line 3'."""
        return f"{self.source}: {self.root}{name}" + (f", {place}" if place else "")

    def holds(self, pattern: str) -> bool:
        """Whether a file below the root has a name of this pattern."""
        return any(_fits(name, pattern) == "" for name in self.names)

    def rooted(self, patterns: Sequence[str]) -> "Tree | None":
        """The tree below the folder that has most files of these patterns; None where no folder has one.

        Of several such folders the one nearest the top is taken, then the first by name.
        """
        fits = (_fits(name, pattern) for name in self.names for pattern in patterns)
        counts = Counter(fit for fit in fits if fit is not None)
        if not counts:
            return None
        root = min(counts, key=lambda folder: (-counts[folder], folder.count("/"), folder))
        names = tuple(name.removeprefix(root) for name in self.names if name.startswith(root))
        return replace(self, names=names, root=self.root + root)


def _fits(name: str, pattern: str) -> str | None:
    """What stands before the part of `name` that has this pattern; None where its end is of another."""
    parts, depth = name.split("/"), pattern.count("/") + 1
    tail = "/".join(parts[-depth:])
    return name.removesuffix(tail) if len(parts) >= depth and fnmatchcase(tail, pattern) else None


@contextlib.contextmanager
def open_tree(source: str, sha256: str | None = None) -> Iterator[Tree]:
    """The files of a release, as long as the block lasts.

    Args:
        source: a folder, an archive (.zip, or .tar plain or packed by gzip, bzip2 or xz), or its URL.
        sha256: what the archive must have, in hexadecimal.

    Raises:
        InputError: nothing there, no archive, another checksum, a URL that does not answer.
    """
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(downloaded(source)) if "://" in source else Path(source)
        if not path.exists():
            raise InputError(
                "the release does not exist",
                where=source,
                needed="a folder, an archive (.zip or .tar, plain or packed), or the URL of an archive",
            )
        if sha256 is not None:
            check_sha256(path, sha256, source)
        yield _folder(path, source) if path.is_dir() else stack.enter_context(_archive(path, source))


def _folder(path: Path, source: str) -> Tree:
    names: list[str] = []
    for folder, below, files in os.walk(path):
        below[:] = [name for name in below if not name.startswith(".")]  # .git holds many
        there = (Path(folder) / file for file in files)
        names += [file.relative_to(path).as_posix() for file in there if _within(path, file)]
    return _tree(
        source,
        {name: name for name in names},
        lambda name: (path / name).read_bytes(),
        lambda name: (path / name).stat().st_size,
    )


def _within(folder: Path, file: Path) -> bool:
    """Whether a file ends, and no link leads out of the folder to it."""
    return is_ordinary(file) and file.resolve().is_relative_to(folder.resolve())


@contextlib.contextmanager
def _archive(path: Path, source: str) -> Iterator[Tree]:
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(opened(path))
            if file.read(2) == b"PK":
                tree = _zip_tree(stack.enter_context(zipfile.ZipFile(path)), source)
            else:
                file.seek(0)
                tree = _tar_tree(stack.enter_context(tarfile.open(fileobj=file, mode="r:")), source)
        except DAMAGE as error:
            raise InputError(
                "this file is no archive, or a damaged one",
                where=source,
                got=str(error) or type(error).__name__,
                needed="a whole .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz",
                fix="fetch it again; GitHub has https://github.com/OWNER/NAME/archive/COMMIT.zip",
            ) from error
        yield tree


def _zip_tree(archive: zipfile.ZipFile, source: str) -> Tree:
    # a member without a name is none to Python 3.11, which looks for its last character
    members = {each.filename: each for each in archive.infolist() if each.filename and not each.is_dir()}
    return _tree(source, members, archive.read, lambda member: member.file_size)


def _tar_tree(archive: tarfile.TarFile, source: str) -> Tree:
    def content(member: tarfile.TarInfo) -> bytes:
        file = archive.extractfile(member)
        return file.read() if file else b""

    # regular files alone: a link could name what lies outside
    members = {member.name: member for member in archive.getmembers() if member.isreg()}
    return _tree(source, members, content, lambda member: member.size)


def _tree(
    source: str,
    members: dict[str, Member],
    content: Callable[[Member], bytes],
    size: Callable[[Member], int],
) -> Tree:
    clean = {"/".join(PurePosixPath(name).parts): member for name, member in _visible(members.items())}
    return Tree(
        source, tuple(sorted(clean)), lambda name: content(clean[name]), lambda name: size(clean[name])
    )


def _visible(members: Iterable[tuple[str, Member]]) -> Iterator[tuple[str, Member]]:
    """Without hidden files (those of git and of a Mac's Finder too) and names that lead out of the tree."""
    for name, member in members:
        parts = PurePosixPath(name).parts
        odd = not parts or any(sign in name for sign in "\\\0") or ":" in parts[0]
        if not odd and not any(part.startswith((".", "/")) or part == "__MACOSX" for part in parts):
            yield name, member

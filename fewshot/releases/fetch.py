"""Archives: downloaded, checked against a checksum, and opened without their packing."""

import bz2
import contextlib
import gzip
import hashlib
import http.client
import lzma
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from fewshot.errors import InputError
from fewshot.progress import Progress

MOST = 16 << 30  # bytes that an archive may unpack to
CHUNK = 1 << 20  # bytes that are fetched at a time, and what the progress counts
SCHEMES = ("http", "https", "file")
PACKINGS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


@contextlib.contextmanager
def downloaded(url: str) -> Iterator[Path]:
    """A temporary file with what a URL holds, as long as the block lasts.

    Raises:
        InputError: another kind of URL, no answer, or an answer that was cut off.
    """
    if urllib.parse.urlsplit(url).scheme not in SCHEMES:
        raise InputError(
            "this kind of URL cannot be fetched",
            where=url,
            needed="http://, https:// or file://, and an archive",
        )
    with tempfile.TemporaryDirectory(prefix="fewshot-") as folder:
        file = Path(folder) / "archive"
        try:
            got, promised = _fetch(url, file)
        except urllib.error.HTTPError as error:
            error.close()
            raise _unreachable(url, error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unreachable(url, getattr(error, "reason", None) or error) from error
        if got < promised:
            raise _unreachable(url, f"{got} of {promised} bytes")
        yield file


def _fetch(url: str, file: Path) -> tuple[int, int]:
    """How many bytes came, and how many were promised (0: nothing was said)."""
    with urllib.request.urlopen(url, timeout=60) as answer, file.open("wb") as out:
        promised = int(answer.headers.get("Content-Length") or 0)
        with Progress("MiB downloaded" if promised else "", -(-promised // CHUNK)) as progress:
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                progress.advance(1, url)
    return file.stat().st_size, promised


def _unreachable(url: str, got: object) -> InputError:
    return InputError(
        "the URL cannot be fetched",
        where=url,
        got=got,
        needed="a URL that answers with an archive",
        fix="check the address and the network, or download it by hand and give the file",
    )


def check_sha256(path: Path, expected: str, source: str) -> None:
    """Refuses an archive that is not the one that was meant.

    Raises:
        InputError: another checksum, something that is no checksum, or a folder.
    """
    if not re.fullmatch("[0-9a-fA-F]{64}", expected):
        raise InputError("--sha256 is no checksum", got=expected, needed="64 hexadecimal digits")
    if path.is_dir():
        raise InputError("a folder has no checksum", where=source, needed="--sha256 with an archive or a URL")
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != expected.lower():
        raise InputError(
            "the archive has another checksum",
            where=source,
            got=got,
            needed=expected.lower(),
            fix="fetch it again, or leave out --sha256 if you trust this one",
        )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file without its gzip, bzip2 or xz: unpacked once to an unnamed file, so that members are near."""
    with path.open("rb") as file:
        start = file.read(6)
        packings = [unpack for magic, unpack in PACKINGS.items() if start.startswith(magic)]
        if not packings:
            file.seek(0)
            yield file
            return
    with tempfile.TemporaryFile() as plain:
        with packings[0](path) as packed:
            _unpack(packed, plain, path)
        plain.seek(0)
        yield plain


def _unpack(packed: IO[bytes], plain: IO[bytes], path: Path) -> None:
    size = 0
    while block := packed.read(CHUNK):
        size += plain.write(block)
        if size > MOST:
            raise InputError(
                "the archive unpacks to more than a release can be",
                where=path,
                got=f"{path.stat().st_size:,} bytes that become more than {MOST:,}",
                needed=f"at most {MOST:,}",
                fix="look into it before you trust it, or unpack it yourself and give the folder",
            )

"""Safetensors files whose headers are made up."""

import json
import struct
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.strategies import JUNK, spoilt_value

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I8": 1, "BOOL": 1}
DIMENSIONS = st.lists(st.sampled_from((0, 1, 2, 3, 5, 8, 2**31, 2**40, 2**63)), max_size=4)


def split(content: bytes) -> tuple[Any, bytes]:
    """Header and numbers of a valid file."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: Any, numbers: bytes, length: int | None = None) -> bytes:
    """A file of them."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + numbers


def spoilt_tensors(valid: bytes) -> st.SearchStrategy[bytes]:
    """A safetensors file with another header, other tensors, or other bytes."""
    header, numbers = split(valid)
    by_header = spoilt_value(header).map(lambda value: joined(value, numbers))
    lengths = st.sampled_from((0, 1, 8, 10**6, 2**32, 2**63, 2**64 - 1))
    by_length = lengths.map(lambda length: joined(header, numbers, length))
    entry = st.tuples(st.sampled_from(sorted(SIZES)), DIMENSIONS)
    names = st.sampled_from(sorted(header)) | st.text(max_size=8)
    by_shape = st.dictionaries(names, entry, max_size=4).map(_whole)
    junk = JUNK.map(lambda value: joined(value, numbers))
    return by_header | by_length | by_shape | junk


def _whole(entries: dict[str, tuple[str, list[int]]]) -> bytes:
    """A file that is well-formed where its tensors are small, and claims too much where they are not."""
    header, at = {}, 0
    for name, (kind, shape) in entries.items():
        size = SIZES[kind]
        for number in shape:
            size *= number
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return joined(header, bytes(min(at, 1 << 16)))

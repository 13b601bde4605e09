"""How valid files are spoilt: bytes by bytes, and values within their structure (by hypothesis)."""

import json
from typing import Any

import yaml
from hypothesis import strategies as st

WORDS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\n", b"\r\n", b"\0", b"\\", b"\\u0000", b"\\ud800", b"\xff",
    b"\xef\xbb\xbf", b"NaN", b"-Infinity", b"1e999", b"9" * 30, b"9" * 5000, b"-0", b"null", b"true",
    b"[" * 70, b"[" * 3000, b'{"a":' * 3000, b"../", b"/etc/passwd", b"&a ", b"*a", b"<<: *a",
    b"!!python/object/apply:os.getcwd []", b"!!int ", b"!!binary ", b"!!timestamp ", b"---\n", b"? ", b"- ",
    b"\t", b"|", b">", b"%YAML 9.9\n", b"#", b"\x1f\x8b", b"PK\x03\x04", b"\x00" * 8, b"\xff" * 8, b"text",
    b"label", b"F32", b"I64",
)  # fmt: skip
SPOTS = st.integers(0, 1 << 30)


def spoilt_bytes(valid: bytes) -> st.SearchStrategy[bytes]:
    """A file with up to six changes: bytes that are others, put in, left out, doubled; or cut off."""
    change = st.tuples(
        st.sampled_from(("set", "insert", "word", "delete", "double", "cut", "swap")),
        SPOTS,
        SPOTS,
        st.binary(min_size=1, max_size=8),
        st.sampled_from(WORDS),
    )
    return st.lists(change, min_size=1, max_size=6).map(lambda changes: _changed(valid, changes))


def _changed(content: bytes, changes: list[tuple[str, int, int, bytes, bytes]]) -> bytes:
    for kind, first, second, some, word in changes:
        start = first % (len(content) + 1)
        end = start + second % 64
        part = content[start:end]
        content = {
            "set": content[:start] + some + content[start + len(some) :],
            "insert": content[:start] + some + content[start:],
            "word": content[:start] + word + content[start:],
            "delete": content[:start] + content[end:],
            "double": content[:end] + part * 3 + content[end:],
            "cut": content[:start],
            "swap": content[end:] + content[:start] + part,
        }[kind]
    return content


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from((0, -1, 1, 10**9, 10**18))
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(("", "a.b", "os.getcwd", "../x", "/x", "\0", "train", "test", "1", "nan", "x" * 5000)),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=6,
)


@st.composite
def spoilt_value(draw: st.DrawFn, valid: Any) -> Any:
    """A JSON value with one to three of its parts replaced, left out, doubled or under another name."""
    value = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        if not places:
            return draw(JUNK)
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        kind = draw(st.sampled_from(("replace", "remove", "double", "rename", "wrap", "deep")))
        if kind == "remove":
            del holder[key]
        elif kind == "double" and isinstance(holder, list):
            holder.append(holder[key])
        elif kind == "rename" and isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = holder.pop(key)
        elif kind == "wrap":
            holder[key] = draw(st.sampled_from(([holder[key]], {"a": holder[key]}, str(holder[key]))))
        elif kind == "deep":
            for _ in range(draw(st.sampled_from((10, 70)))):
                holder[key] = [holder[key]]
        else:
            holder[key] = draw(JUNK)
    return value


def _places(value: Any, most: int = 500) -> list[tuple[Any, Any]]:
    """Every list and object with each of its keys, as far as the first 500."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < most:
        each = waiting.pop(0)
        keys = list(each) if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else ()
        for key in keys:
            found.append((each, key))
            waiting.append(each[key])
    return found


def spoilt_json(valid: Any) -> st.SearchStrategy[bytes]:
    """The same as a JSON text, as Python writes it: with NaN, and with lone surrogates escaped."""
    return spoilt_value(valid).map(lambda value: json.dumps(value).encode())


def spoilt_yaml(valid: Any) -> st.SearchStrategy[bytes]:
    """The same as YAML."""
    return spoilt_value(valid).map(lambda value: yaml.safe_dump(value, allow_unicode=False).encode())


def spoilt_lines(valid: list[Any]) -> st.SearchStrategy[bytes]:
    """JSON lines, one of them spoilt."""
    good = [json.dumps(row).encode() for row in valid]
    spoilt = st.tuples(st.integers(0, len(valid) - 1), spoilt_json(valid[0]) | spoilt_bytes(good[0]))
    return spoilt.map(lambda pair: b"\n".join([*good[: pair[0]], pair[1], *good[pair[0] + 1 :]]) + b"\n")

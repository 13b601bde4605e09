"""One labelled input."""

import hashlib
from typing import NamedTuple


class Example(NamedTuple):
    """A text (or a pair of texts) and the name of its class.

    A named tuple: episodes are made of many, and a frozen dataclass takes four times as long to make.
    """

    text: str
    label: str
    text_pair: str | None = None

    @property
    def hash(self) -> str:
        """64 bits of its content in hexadecimal, the same on every machine."""
        content = "\0".join((self.label, self.text, *(() if self.text_pair is None else (self.text_pair,))))
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()

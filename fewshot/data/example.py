"""One labelled input."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A text (or a pair of texts) and the name of its class."""

    text: str
    label: str
    text_pair: str | None = None

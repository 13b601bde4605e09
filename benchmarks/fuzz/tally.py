"""How many inputs of a kind ended how, and those that should not have."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fuzz.judge import FoundError, judged
from benchmarks.fuzz.kinds import Kind

KEPT = 5  # findings of a kind that are written down, one a message
SHOWN = 2_000  # bytes of one


def finding(said: str, content: bytes) -> dict[str, str]:
    """An input that ended as it should not, as JSON holds it."""
    return {"said": said, "sha256": hashlib.sha256(content).hexdigest(), "begins": content[:SHOWN].hex()}


@dataclass
class Tally:
    """Of one kind.

    Args:
        outcomes: how many were read, refused, or found.
        found: message -> an input of it.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    found: dict[str, bytes] = field(default_factory=dict)

    def add(self, kind: Kind, content: bytes) -> None:
        """Judges an input."""
        try:
            self.outcomes[judged(kind, content)] += 1
        except FoundError as error:
            self.outcomes["found"] += 1
            if len(self.found) < KEPT:
                self.found.setdefault(str(error), content)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = [finding(said, content) for said, content in self.found.items()]
        return {**dict(sorted(self.outcomes.items())), **({"findings": found} if found else {})}

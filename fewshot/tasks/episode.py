"""One task: a support set to learn from and a query set to be judged on."""

from dataclasses import dataclass

from fewshot.data.example import Example
from fewshot.errors import InputError, listing


@dataclass(frozen=True, slots=True)
class Episode:
    """One task drawn for training or testing.

    Args:
        support: the labelled examples that adaptation sees.
        query: the examples that it is judged on; none of them is in the support set.
        classes: the episode's class names; class number n of the model is `classes[n]`.
        source: where the episode comes from, for reports.

    Raises:
        InputError: an empty side, a label outside `classes`, a class without support, or an
            example on both sides.
    """

    support: tuple[Example, ...]
    query: tuple[Example, ...]
    classes: tuple[str, ...]
    source: str = ""

    def __post_init__(self) -> None:
        wrong = self._problem()
        if wrong:
            raise InputError(
                f"this is not an episode: {wrong}",
                where=f"source {self.source!r}, classes {listing(self.classes)}",
                needed="support and query examples of the named classes, no example on both sides",
            )

    def _problem(self) -> str | None:
        if not self.support or not self.query:
            return "its support or query set is empty"
        labels = {example.label for example in self.support + self.query}
        if labels - set(self.classes):
            return f"the labels {listing(sorted(labels - set(self.classes)))} are none of its classes"
        without = set(self.classes) - {example.label for example in self.support}
        if without:
            return f"no support example for {listing(sorted(without))}"
        both = set(self.support) & set(self.query)
        return f"{len(both)} examples are in support and query: {next(iter(both)).text!r}" if both else None

    @property
    def way(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def shot(self) -> float:
        """Support examples a class, on average (a whole number where the classes are balanced)."""
        return len(self.support) / self.way

    @property
    def queries(self) -> float:
        """Query examples a class, on average."""
        return len(self.query) / self.way

    def numbers(self, examples: tuple[Example, ...]) -> list[int]:
        """The class number of each of `examples`."""
        number = {label: n for n, label in enumerate(self.classes)}
        return [number[example.label] for example in examples]

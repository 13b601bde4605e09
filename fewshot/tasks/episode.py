"""One task: a support set to learn from and a query set to be judged on."""

import math
from collections import Counter
from dataclasses import dataclass

from fewshot.data.example import Example
from fewshot.errors import InputError, listing


@dataclass(frozen=True, slots=True)
class Episode:
    """One task drawn for training or testing.

    Args:
        support: the labelled examples that adaptation sees.
        query: the examples that it is judged on; none of them is in the support set.
        classes: the episode's class names; class number n of the model is `classes[n]`. None at all where
            the labels are texts to be written (generation).
        source: where the episode comes from, for reports.
        outside: queries of none of the classes, which are to be rejected.
        augmented: further support examples, made from those of the support set; they count for no shot.

    Raises:
        InputError: an empty side, a label outside `classes`, a class without support, an example on both
            sides, a query from outside with the label of a class.
    """

    support: tuple[Example, ...]
    query: tuple[Example, ...]
    classes: tuple[str, ...]
    source: str = ""
    outside: tuple[Example, ...] = ()
    augmented: tuple[Example, ...] = ()

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
        learned = {example.label for example in self.support}
        classes = set(self.classes)
        strange = (learned | {example.label for example in self.query + self.augmented}) - classes
        if strange and classes:
            return f"the labels {listing(sorted(strange))} are none of its classes"
        if len(classes) < len(self.classes):
            return "a class is named twice"
        if classes - learned:
            return f"no support example for {listing(sorted(classes - learned))}"
        inside = {example.label for example in self.outside} & classes
        if inside:
            return f"the queries from outside have the labels {listing(sorted(inside))}"
        both = set(self.support + self.augmented) & set(self.query)
        if not both:
            return None
        first = next(example for example in self.query if example in both)  # a set has no order of its own
        return f"{len(both)} examples are in support and query: {first.text!r}"

    @property
    def way(self) -> int:
        """The number of classes; 0 where the labels are texts to be written."""
        return len(self.classes)

    @property
    def shot(self) -> float:
        """Support examples a class, on average (a whole number where the classes are balanced)."""
        return len(self.support) / max(1, self.way)

    @property
    def queries(self) -> float:
        """Query examples a class, on average."""
        return len(self.query) / max(1, self.way)

    @property
    def prior_loss(self) -> float:
        """The loss of guessing by the class prior of the queries, in nats: ln N where they are balanced.

        0 where there are no classes.
        """
        if not self.classes:
            return 0.0
        counts = Counter(example.label for example in self.query).values()
        return sum(n * math.log(len(self.query) / n) for n in counts) / len(self.query)

    @property
    def learned_from(self) -> tuple[Example, ...]:
        """The support set with what was made from it."""
        return self.support + self.augmented

    def numbers(self, examples: tuple[Example, ...]) -> list[int]:
        """The class number of each of `examples`; 0 for those from outside.

        Raises:
            InputError: the labels are texts to be written.
        """
        if not self.classes:
            raise InputError(
                "this episode has no classes: its labels are texts to be written",
                where=f"source {self.source!r}",
                needed="a model that writes, or a family of classes; not both kinds of family together",
                fix="choose LoraCausal as the model, or Matching on the same records",
            )
        number = {label: n for n, label in enumerate(self.classes)}
        return [number.get(example.label, 0) for example in examples]

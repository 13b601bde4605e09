"""String tasks from a grammar: what is done to a list of words, shown by examples alone.

A task chooses and orders the words of its input, then writes them in some form: tasks of form, not of
knowledge, so that a small language model can learn them and none can know them beforehand. Held-out tasks
are pairs of an order and a form that no training task has; either of the two alone stands in some.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np

from fewshot.data.example import Example
from fewshot.data.split import SIDES, Side
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.grammar import KINDS
from fewshot.tasks.sided import Sided

Words = Sequence[str]
ORDERS: Mapping[str, Callable[[Words], Words]] = {
    "all": lambda words: words,
    "reversed": lambda words: words[::-1],
    "the first": lambda words: words[:1],
    "the last": lambda words: words[-1:],
    "the first two": lambda words: words[:2],
    "all but the first": lambda words: words[1:],
    "all but the last": lambda words: words[:-1],
    "the ends": lambda words: [words[0], words[-1]],
    "first to the end": lambda words: [*words[1:], words[0]],
    "last to the front": lambda words: [words[-1], *words[:-1]],
    "every word twice": lambda words: [word for word in words for _ in range(2)],
    "the first again": lambda words: [*words, words[0]],
}
FORMS: Mapping[str, Callable[[Words], str]] = {
    "plain": " ".join,
    "commas": ", ".join,
    "and": " and ".join,
    "dashes": " - ".join,
    "brackets": lambda words: f"( {' '.join(words)} )",
    "a list of": lambda words: "a list of " + " ".join(words),
    "is all": lambda words: " ".join(words) + " is all",
    "not": lambda words: "not " + " not ".join(words),
}
ONE_WORD, BETWEEN = ("the first", "the last"), ("commas", "and", "dashes")  # nothing to stand between
PAIRS = tuple(product(ORDERS, FORMS))
TASKS = tuple(pair for pair in PAIRS if not (pair[0] in ONE_WORD and pair[1] in BETWEEN))
LEAST, MOST = 3, 5  # words of an input
HELD_OUT = 5  # one in so many pairs for validation, one for test
LEXICON = tuple(
    dict.fromkeys(
        word.lower() for kind in KINDS for side in SIDES for word in kind.values(side) if word.isalpha()
    )
)


class StringTasks(Sided):
    """Lists of words and what a task makes of them; `label` is the output, and there are no classes.

    Args:
        shot: support examples of an episode (K).
        queries: query examples of an episode (Q).

    Raises:
        InputError: a number below 1 or above 100.
    """

    writes = True

    def __init__(self, shot: int = 5, queries: int = 10) -> None:
        for name, value in (("shot", shot), ("queries", queries)):
            if not 1 <= value <= 100:
                raise InputError(f"family.{name} is out of range", got=value, needed="1 to 100")
        sides: dict[Side, TaskFamily] = {side: _Side(tasks_of(side), shot, queries) for side in SIDES}
        super().__init__(sides, "string tasks")


def tasks_of(side: Side) -> list[tuple[str, str]]:
    """The pairs of an order and a form of one side; the diagonals of their table, so that all have each."""
    columns = list(FORMS)
    diagonal = {task: (n // len(columns) + n) % HELD_OUT for n, task in enumerate(PAIRS)}
    own = {"train": range(2, HELD_OUT), "valid": (0,), "test": (1,)}[side]
    return [task for task in TASKS if diagonal[task] in own]


class _Side(TaskFamily):
    def __init__(self, tasks: Sequence[tuple[str, str]], shot: int, queries: int) -> None:
        self._tasks, self._shot, self._queries = tasks, shot, queries

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        return self._of(self._tasks[int(generator.integers(len(self._tasks)))], generator)

    def again(self, episode: Episode, generator: np.random.Generator) -> Episode:
        (task,) = (task for task in self._tasks if _source(task) == episode.source)
        return self._of(task, generator)

    def _of(self, task: tuple[str, str], generator: np.random.Generator) -> Episode:
        order, form = ORDERS[task[0]], FORMS[task[1]]
        found: dict[str, Example] = {}
        while len(found) < self._shot + self._queries:
            count = int(generator.integers(LEAST, MOST + 1))
            words = [LEXICON[n] for n in generator.choice(len(LEXICON), count, replace=False)]
            found[" ".join(words)] = Example(" ".join(words), form(order(words)))
        drawn = tuple(found.values())
        return Episode(drawn[: self._shot], drawn[self._shot :], (), _source(task))


def _source(task: tuple[str, str]) -> str:
    return f"strings/{task[0]}, {task[1]}"

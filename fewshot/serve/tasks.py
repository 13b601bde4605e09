"""The tasks that the page has learned, in memory alone."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from fewshot.classify.examples import Labelled
from fewshot.classify.learned import Learned
from fewshot.classify.task import AdaptedTask, adapted

MOST = 100  # tasks; the one that was not asked for the longest time goes first


@dataclass(frozen=True)
class Kept:
    """A task under its name.

    Args:
        name: cannot be guessed, so that one user does not meet another's examples.
        task: what was learned.
    """

    name: str
    task: AdaptedTask


class Tasks:
    """Learns tasks and keeps the latest of them.

    Args:
        meta: the run that they are learned with.
        most: how many are kept.
    """

    def __init__(self, meta: Learned, most: int = MOST) -> None:
        self.meta, self._most = meta, most
        self._kept: OrderedDict[str, AdaptedTask] = OrderedDict()
        self._lock = threading.Lock()
        self._changing = threading.Lock()  # two corrections at once: the second begins from the first's

    def learn(self, support: Labelled) -> Kept:
        """Learns from examples, under a name of its own."""
        task, name = adapted(self.meta, support), secrets.token_urlsafe(16)
        with self._lock:
            self._kept[name] = task
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return Kept(name, task)

    def change(self, name: str, changed: Callable[[Labelled], Labelled]) -> Kept | None:
        """Learns a task again, from what `changed` makes of its examples.

        Args:
            name: of the task.
            changed: from the examples so far to those that it is learned from.

        Returns:
            The task; None where there is none, or none any more.
        """
        with self._changing:
            before = self.find(name)
            if before is None:
                return None
            task = adapted(self.meta, changed(before.support))
            with self._lock:
                if name not in self._kept:  # forgotten meanwhile
                    return None
                self._kept[name] = task
                self._kept.move_to_end(name)
        return Kept(name, task)

    def find(self, name: str) -> AdaptedTask | None:
        """The task of a name; None where there is none, or none any more."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)

    def forget(self, name: str) -> bool:
        """Whether there was such a task."""
        with self._lock:
            return self._kept.pop(name, None) is not None

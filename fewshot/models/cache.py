"""What is constant of a text, kept from one batch to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fewshot.errors import InputError, require_at_least
from fewshot.models.firsts import Firsts
from fewshot.models.states import PrivateFile, SharedFile, Store


@dataclass(frozen=True)
class Cache:
    """How the frozen states of texts are kept between batches.

    Args:
        memory_gb: gigabytes of the device's memory that they may take.
        projections: keep what the frozen maps of the lowest adapted block make of the states as well, such as
            queries, keys and values: less to compute, about four times the memory.
        folder: where those beyond are kept on disk, for as long as the process runs; without it they are
            computed again for every batch.
        shared: keep all of them in the folder, on a disk of this machine, for other processes and later runs.
            Implies `alone`: a run has the same bits whoever computed them.
        alone: compute texts one by one: the last bits of a text's states do not depend then on what stands
            beside it in a batch.
    """

    memory_gb: float = 1.0
    projections: bool = True
    folder: str | None = None
    shared: bool = False
    alone: bool = False

    def __post_init__(self) -> None:
        require_at_least("model.cache", self, memory_gb=0)
        if self.shared and self.folder is None:
            raise InputError(
                "a shared cache needs a folder",
                where="model.cache.shared",
                needed="model.cache.folder, on a disk of this machine",
                fix="set model.cache.folder, or model.cache.shared to false",
            )


class StateCache:
    """Frozen states of token rows; what came first stays in memory until the budget is spent.

    Args:
        settings: the budget, and the folder for what is beyond it or shared.
    """

    def __init__(self, settings: Cache = Cache()) -> None:
        self._left = settings.memory_gb * 1e9
        self.projections, self.shared = settings.projections, settings.shared
        self.alone = settings.alone or settings.shared
        self._folder = Path(settings.folder) if settings.folder is not None else None
        self._memory: dict[str, dict[bytes, Tensor]] = {}
        self._stores: dict[str, Store] = {}
        self.hits = self.misses = 0
        self.firsts = Firsts()  # unless texts are computed alone

    def states(
        self,
        keys: Sequence[bytes],
        compute: Callable[[list[int]], list[Tensor]],
        device: torch.device | str = "cpu",
        about: Callable[[], str] = str,
    ) -> list[Tensor]:
        """The states of each key, in the order of the keys.

        Args:
            keys: what the states depend on as long as the rest does not change.
            compute: gives the states (L, W) of the keys with these numbers, on the device.
            device: where they are wanted.
            about: says the rest; asked where other processes may have another one.
        """
        rest = about() if self.shared else ""
        store, memory = self._store(rest), self._memory.setdefault(rest, {})
        first = {key: n for n, key in reversed(list(enumerate(keys)))}
        found = {key: memory[key] for key in first if key in memory}
        if store:
            read = store.read([key for key in first if key not in found])
            found |= {key: value.to(device) for key, value in read.items()}
        missing = sorted(n for key, n in first.items() if key not in found)
        self.misses += len(missing)
        self.hits += len(keys) - len(missing)
        fresh = dict(zip((keys[n] for n in missing), compute(missing) if missing else [], strict=True))
        found |= fresh
        for key, value in found.items():
            self._remember(memory, key, value)
        beyond = fresh if self.shared else {key: fresh[key] for key in fresh if key not in memory}
        if store and beyond:
            store.write(beyond)
        return [found[key] for key in keys]

    def keeps(self, key: bytes) -> bool:
        """Whether a text that was computed in this process is remembered, unless in a shared folder."""
        return key in self._memory.get("", {}) or (self._folder is not None and not self.shared)

    def _store(self, rest: str) -> Store | None:
        """Where states lie on disk."""
        if self._folder is not None and rest not in self._stores:
            shared = self.shared
            self._stores[rest] = SharedFile(self._folder, rest) if shared else PrivateFile(self._folder)
        return self._stores.get(rest)

    def _remember(self, memory: dict[bytes, Tensor], key: bytes, value: Tensor) -> None:
        size = value.numel() * value.element_size()
        if key not in memory and size <= self._left:
            self._left -= size
            memory[key] = value.clone()  # a slice of a batch would keep the whole batch

"""What is constant of a text, kept from one batch to the next."""

import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from fewshot.errors import FewshotError, require_at_least


@dataclass(frozen=True)
class Cache:
    """How the frozen states of texts are kept between batches.

    Args:
        memory_gb: gigabytes of the device's memory that they may take.
        projections: keep what the frozen maps of the lowest adapted block make of the states as well, such as
            queries, keys and values: less to compute, about four times the memory.
        folder: where those beyond are kept on disk, for as long as the process runs; without it they are
            computed again for every batch.
    """

    memory_gb: float = 1.0
    projections: bool = True
    folder: str | None = None

    def __post_init__(self) -> None:
        require_at_least("model.cache", self, memory_gb=0)


class StateCache:
    """Frozen states of token rows; what came first stays in memory until the budget is spent.

    Args:
        settings: the budget, and the folder for what is beyond it.
    """

    def __init__(self, settings: Cache = Cache()) -> None:
        self._left = settings.memory_gb * 1e9
        self.projections = settings.projections
        self._folder = settings.folder
        self._memory: dict[bytes, Tensor] = {}
        self._disk: dict[bytes, tuple[int, tuple[int, ...]]] = {}
        self._file: IO[bytes] | None = None
        self.hits = self.misses = 0

    def states(self, keys: Sequence[bytes], compute: Callable[[list[int]], list[Tensor]]) -> list[Tensor]:
        """The states of each key, in the order of the keys.

        Args:
            keys: what the states depend on.
            compute: gives the states (L, H) of the keys with these numbers, on the device.
        """
        first = {key: n for n, key in reversed(list(enumerate(keys)))}
        missing = sorted(n for key, n in first.items() if not self._known(key))
        self.misses += len(missing)
        self.hits += len(keys) - len(missing)
        fresh = dict(zip((keys[n] for n in missing), compute(missing) if missing else [], strict=True))
        found = [fresh[key] if key in fresh else self._read(key) for key in keys]
        for key, value in fresh.items():
            self._keep(key, value)
        return found

    def _known(self, key: bytes) -> bool:
        return key in self._memory or key in self._disk

    def _keep(self, key: bytes, value: Tensor) -> None:
        size = value.numel() * value.element_size()
        if size <= self._left:
            self._left -= size
            self._memory[key] = value.clone()  # a slice of a batch would keep the whole batch
        elif self._folder is not None:
            self._write(key, value)

    def _write(self, key: bytes, value: Tensor) -> None:
        assert self._folder is not None
        folder = Path(self._folder)
        try:
            if self._file is None:
                folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open as long as the cache lives
                weakref.finalize(self, self._file.close)
            start = self._file.seek(0, 2)
            self._file.write(value.cpu().contiguous().view(torch.uint8).numpy().tobytes())
            self._file.flush()
        except OSError as error:
            raise FewshotError(
                "the cache of frozen states could not be written",
                where=folder,
                got=error.strerror,
                needed="a writable disk with space left",
                fix="free some space, or leave model.cache.folder out, and those states are computed again",
            ) from error
        self._disk[key] = (start, tuple(value.shape))
        self._dtype, self._device = value.dtype, value.device

    def _read(self, key: bytes) -> Tensor:
        if key in self._memory:
            return self._memory[key]
        assert self._file is not None
        start, shape = self._disk[key]
        self._file.seek(start)
        size = torch.Size(shape).numel() * torch.empty((), dtype=self._dtype).element_size()
        content = bytearray(self._file.read(size))
        return torch.frombuffer(content, dtype=self._dtype).view(shape).to(self._device)

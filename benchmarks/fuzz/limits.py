"""What a process that fuzzes may take: memory beyond what it has, and a cache that does not grow."""

import contextlib
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import datasets

MORE = 4 << 30  # bytes of address space beyond what is there at the start


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Inside, an allocation without measure is a MemoryError, and the cache of data sets is one that goes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MORE, before[1]))
    cache = datasets.config.HF_DATASETS_CACHE
    with tempfile.TemporaryDirectory(prefix="fuzz-cache-") as folder:
        datasets.config.HF_DATASETS_CACHE = folder
        try:
            yield
        finally:
            datasets.config.HF_DATASETS_CACHE = cache
            resource.setrlimit(resource.RLIMIT_AS, before)

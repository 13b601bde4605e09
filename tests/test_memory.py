from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from fewshot import memory
from fewshot.memory import free_memory, growth, is_out_of_memory, peak_memory

CPU = torch.device("cpu")
FLOATS = 50_000_000  # 200 MB


def refused_by_the_host() -> RuntimeError:
    """What torch raises where malloc gives nothing."""
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 60, dtype=torch.uint8)
    return error.value


def test_three_kinds_say_that_memory_ran_out() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(refused_by_the_host())


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the shapes do not fit"),
        RuntimeError("CUDA error: device-side assert triggered"),
        ValueError("can't allocate memory"),
        OSError(12, "Cannot allocate memory"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_do_not(error: BaseException) -> None:
    assert not is_out_of_memory(error)


@pytest.mark.skipif(not memory.PAGES.exists(), reason="the kernel does not set peaks back")
def test_growth_is_what_the_work_touches_at_its_highest() -> None:
    def work() -> None:
        torch.ones(FLOATS)  # given back at once, and yet it counts

    taken = growth(CPU, work)
    assert taken is not None
    assert 150e6 < taken < 300e6
    little = growth(CPU, lambda: None)
    assert little is not None
    assert little < 50e6  # the peak before it does not count


@pytest.mark.parametrize("name", ["PAGES", "STATUS"])
def test_growth_is_unknown_where_the_kernel_does_not_tell(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PAGES", tmp_path / "clear_refs")
    monkeypatch.setattr(memory, name, tmp_path / "nowhere" / "file")
    calls: list[int] = []
    assert growth(CPU, lambda: calls.append(1)) is None
    assert calls == [1]


def test_an_error_of_the_work_is_its_own() -> None:
    def work() -> None:
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"):
        growth(CPU, work)


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the control group, on a machine that has 5000 bytes left."""
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5000))
    return tmp_path


@pytest.mark.parametrize(
    ("limit", "used", "free"),
    [("3000\n", "1000\n", 2000), ("9000\n", "1000\n", 5000), ("max\n", "1000\n", 5000)],
)
def test_the_limit_of_the_control_group_counts(limit: str, used: str, free: int, group: Path) -> None:
    (group / "memory.max").write_text(limit)
    (group / "memory.current").write_text(used)
    assert free_memory(CPU) == free


@pytest.mark.usefixtures("group")
def test_without_a_control_group_all_that_is_available_is_free() -> None:
    assert free_memory(CPU) == 5000


def test_the_peak_only_rises() -> None:
    before = peak_memory(CPU)
    torch.ones(FLOATS)
    after = peak_memory(CPU)
    assert 0 < before <= after
    assert peak_memory(CPU) >= after


def test_processes_on_one_machine_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8000))
    monkeypatch.setattr(memory, "CGROUP", Path("/no/such/folder"))
    assert free_memory(CPU) == 8000
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert free_memory(CPU) == 2000

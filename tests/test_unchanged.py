"""A test that leaves something of torch changed fails, whatever it is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
from conftest import torch_globals, unchanged


@contextmanager
def called(change: Callable[[Any], object], value: object, before: object) -> Iterator[None]:
    """Calls a function that sets something, and sets it back afterwards."""
    change(value)
    try:
        yield
    finally:
        change(before)


def onednn(enabled: bool) -> None:
    torch.backends.mkldnn.set_flags(_enabled=enabled)  # type: ignore[no-untyped-call]


def digits(precision: int) -> None:
    torch.set_printoptions(precision=precision)  # type: ignore[no-untyped-call]


CHANGES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "dtype": lambda: called(torch.set_default_dtype, torch.float64, torch.float32),
    "device": lambda: called(torch.set_default_device, "meta", None),
    "gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "threads": lambda: called(torch.set_num_threads, torch.get_num_threads() + 1, torch.get_num_threads()),
    "deterministic": lambda: called(torch.use_deterministic_algorithms, True, False),
    "precision": lambda: called(torch.set_float32_matmul_precision, "medium", "highest"),
    "onednn": lambda: called(onednn, False, True),
    "flash": lambda: called(torch.backends.cuda.enable_flash_sdp, False, True),
    "printing": lambda: called(digits, 2, 4),
}


@pytest.mark.parametrize("name", torch_globals())
def test_a_test_that_leaves_it_changed_fails(name: str) -> None:
    before, guard = torch_globals(), unchanged()
    next(guard)
    with CHANGES[name]():
        assert torch_globals()[name] != before[name]
        with pytest.raises(AssertionError):
            next(guard)


def test_one_that_sets_it_back_does_not() -> None:
    guard = unchanged()
    next(guard)
    with torch.no_grad():
        pass
    assert next(guard, "over") == "over"


def test_the_guard_is_around_every_test(request: pytest.FixtureRequest) -> None:
    assert "torch_stays_as_it_is" in request.fixturenames

import importlib.util
import sys

import pytest

from fewshot.algorithms import learn2learn
from fewshot.errors import MissingPartError


def test_only_its_algorithms_are_imported() -> None:
    module = learn2learn.load()
    assert module.MAML.__module__ == "learn2learn.algorithms.maml"
    assert "learn2learn" not in sys.modules
    assert "learn2learn.gym" not in sys.modules
    assert "learn2learn.vision" not in sys.modules


def test_without_it_the_message_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "learn2learn.algorithms", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPartError) as error:
        learn2learn.load()
    assert str(error.value) == (
        "learn2learn is not installed; the inner loop is built on it\n"
        "  needed: learn2learn 0.2.0, with a C compiler and Python's headers to build it\n"
        '  do:     python -m pip install "setuptools<81" cython wheel numpy && python -m pip install '
        "--no-deps --no-build-isolation --use-pep517 "
        '--config-settings="--global-option=build_ext" learn2learn==0.2.0'
    )

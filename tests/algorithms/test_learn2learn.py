import importlib
import importlib.util
import sys
import types
import warnings

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


def test_its_parts_are_found_again_under_their_names() -> None:
    assert learn2learn.optim().__name__ == "learn2learn.optim"
    assert learn2learn.load().__name__ == "learn2learn.algorithms"
    assert learn2learn.load() is learn2learn.load()
    assert learn2learn.optim().transforms.MetaCurvatureTransform.__module__.startswith("learn2learn.optim.")


@pytest.fixture
def not_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported it; afterwards its modules are what they were."""
    for name in [name for name in sys.modules if name.split(".")[0] == "learn2learn"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("not_yet")
def test_a_first_import_leaves_its_parts_and_no_package() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        module = learn2learn.optim()
    assert module is sys.modules["learn2learn.optim"]
    assert learn2learn.load() is sys.modules["learn2learn.algorithms"]
    assert "learn2learn" not in sys.modules
    assert "learn2learn.gym" not in sys.modules
    assert not warned
    assert module.ParameterUpdate.__module__ == "learn2learn.optim.parameter_update"


@pytest.mark.usefixtures("not_yet")
def test_the_package_of_somebody_else_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("learn2learn")
    assert spec is not None
    theirs = types.ModuleType("learn2learn")
    theirs.__path__ = list(spec.submodule_search_locations or ())
    monkeypatch.setitem(sys.modules, "learn2learn", theirs)
    assert learn2learn.load().MAML.__name__ == "MAML"
    assert sys.modules["learn2learn"] is theirs


@pytest.mark.usefixtures("not_yet")
def test_the_package_has_a_place_while_its_parts_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def stopped(name: str) -> None:
        seen.append((name, sys.modules["learn2learn"]))
        raise ImportError("no such part")

    monkeypatch.setattr(importlib, "import_module", stopped)
    with pytest.raises(ImportError, match="no such part"):
        learn2learn.load()
    ((name, package),) = seen
    assert (name, package.__name__) == ("learn2learn.algorithms", "learn2learn")
    spec = importlib.util.find_spec("learn2learn")
    assert spec is not None
    assert package.__path__ == list(spec.submodule_search_locations or ())
    assert package.__spec__ is not None
    assert package.__spec__.name == "learn2learn"
    assert "learn2learn" not in sys.modules


@pytest.mark.usefixtures("not_yet")
def test_a_module_of_that_name_is_not_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single file has no parts to import."""
    file = importlib.util.spec_from_loader("learn2learn", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: file if name == "learn2learn" else None)
    with pytest.raises(MissingPartError, match="learn2learn is not installed"):
        learn2learn.load()
    assert "learn2learn" not in sys.modules

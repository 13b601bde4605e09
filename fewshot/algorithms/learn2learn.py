"""The only module that imports `learn2learn`.

Its top-level package imports gym and torchvision, which its algorithms do not need (and which do
not install beside every build of torch). So a package object with nothing but the search path
takes its place, and the parts that are wanted are imported alone.
"""

import importlib.util
import sys
import types
import warnings
from typing import Any

from fewshot.errors import MissingPartError

ALGORITHMS, OPTIM = "learn2learn.algorithms", "learn2learn.optim"
INSTALL = (
    'python -m pip install "setuptools<81" cython wheel numpy && python -m pip install --no-deps '
    '--no-build-isolation --use-pep517 --config-settings="--global-option=build_ext" learn2learn==0.2.0'
)


def load() -> Any:
    """The module `learn2learn.algorithms`.

    Raises:
        MissingPartError: it is not installed; the message has the command that installs it.
    """
    return _module(ALGORITHMS)


def optim() -> Any:
    """The module `learn2learn.optim`; raises as `load`."""
    return _module(OPTIM)


def _module(name: str) -> Any:
    if name in sys.modules:
        return sys.modules[name]
    ours = "learn2learn" not in sys.modules
    if ours:
        spec = importlib.util.find_spec("learn2learn")
        if spec is None or spec.submodule_search_locations is None:
            raise MissingPartError(
                "learn2learn is not installed; the inner loop is built on it",
                needed="learn2learn 0.2.0, with a C compiler and Python's headers to build it",
                fix=INSTALL,
            )
        package = types.ModuleType("learn2learn")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules["learn2learn"] = package
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it dates from 2021: escapes and imports that warn today
            for part in (ALGORITHMS, OPTIM):  # together: the one looks for the other in the package
                importlib.import_module(part)
            return sys.modules[name]
    finally:
        if ours:
            del sys.modules["learn2learn"]  # somebody else's `import learn2learn` gets the real one

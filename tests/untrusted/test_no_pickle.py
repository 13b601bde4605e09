"""No pickle is read, no code of a file is run: by the syntax of every module, by a guard over tests."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from unpickling import UnpickledError

import fewshot

ROOT = Path(fewshot.__file__).parents[1]
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
CALLS = {
    "torch.load": "safetensors",
    "torch.save": "safetensors",
    "torch.jit.load": "safetensors",
    "torch.hub.load": "no code of others",
    "pd.read_pickle": "another format",
    "pandas.read_pickle": "another format",
    "yaml.load": "untrusted.parse_yaml",
    "yaml.load_all": "untrusted.parse_yaml",
    "yaml.full_load": "untrusted.parse_yaml",
    "yaml.unsafe_load": "untrusted.parse_yaml",
    "os.system": "subprocess with a list",
    "eval": "untrusted.parse_json",
    "exec": "no code that was read",
    "__import__": "importlib",
}
KEYWORDS = ("allow_pickle", "trust_remote_code", "shell")
ALLOWED: dict[str, str] = {}  # file: why; there is none


def sources() -> list[Path]:
    return sorted([*(ROOT / "fewshot").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])


def dotted(node: ast.expr) -> str:
    """'torch.load' for that expression; '' for what is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def dangers(tree: ast.AST) -> Iterator[str]:
    """What must not stand in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom):
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in named if name.split(".")[0] in MODULES or name in CALLS)
        elif isinstance(node, ast.Attribute | ast.Name) and dotted(node) in CALLS:
            yield dotted(node)
        elif isinstance(node, ast.keyword) and node.arg in KEYWORDS:
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                yield f"{node.arg} that is not False"
        elif isinstance(node, ast.Constant) and node.value in MODULES:  # importlib.import_module("pickle")
            yield str(node.value)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_reads_pickles_or_runs_what_it_read(path: Path) -> None:
    found = sorted(set(dangers(ast.parse(path.read_text(encoding="utf-8")))))
    assert not found or str(path.relative_to(ROOT)) in ALLOWED, found


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "import dill.source",
        "from joblib import load",
        "import marshal, os",
        "import importlib\nimportlib.import_module('shelve')",
        "import torch\ntorch.load(a)",
        "import torch\nload = torch.load",
        "from torch import load",
        "import numpy as np\nnp.load(a, allow_pickle=True)",
        "import numpy as np\nnp.load(a, allow_pickle=b)",
        "import yaml\nyaml.load(a, Loader=yaml.Loader)",
        "from yaml import unsafe_load",
        "eval(a)",
        "print(exec)",
        "from_pretrained(a, trust_remote_code=True)",
        "subprocess.run(a, shell=True)",
        "pd.read_pickle(a)",
    ],
)
def test_the_search_finds(code: str) -> None:
    assert list(dangers(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["model.eval()", "yaml.safe_load(a)", "np.load(a, allow_pickle=False)", "x.load()"]
)
def test_the_search_lets_through(code: str) -> None:
    assert not list(dangers(ast.parse(code)))


def as_if_ours(code: str, **names: object) -> None:
    """Runs code as if it stood in a module of this package."""
    exec(compile(code, "made_up.py", "exec"), {"__name__": "fewshot.made_up", **names})


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.path), "w")


def test_the_guard_stops_this_package(tmp_path: Path) -> None:
    content = pickle.dumps(Hostile(tmp_path / "written"))
    for code in (
        "import pickle; pickle.loads(a)",
        "import _pickle, io; _pickle.Unpickler(io.BytesIO(a)).load()",
    ):
        with pytest.raises(UnpickledError, match=r"fewshot\.made_up unpickles (io|_io)\.open"):
            as_if_ours(code, a=content)
    with pytest.raises(UnpickledError, match=r"torch\.load"):
        as_if_ours("import torch; torch.load(a)", a=tmp_path)
    assert torch.load.__module__ == "unpickling"
    assert not (tmp_path / "written").exists()


def test_the_guard_lets_libraries_and_tests_be(tmp_path: Path) -> None:
    content = pickle.dumps(Hostile(tmp_path / "written"))
    library = {"__name__": "multiprocessing.made_up"}
    exec("import pickle\ndef read(a): return pickle.loads(a)", library)
    as_if_ours("read(a).close()", read=library["read"], a=content)
    assert (tmp_path / "written").exists()
    pickle.loads(content).close()

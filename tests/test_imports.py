"""Imports point one way, and the big libraries have one door each."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fewshot

ROOT = Path(fewshot.__file__).parent
LEVELS = (
    {"errors", "importing", "versions", "untrusted"},
    {
        "files",
        "progress",
        "outer",
        "ahead",
        "memory",
        "skips",
        "average",
        "gradients",
        "stopping",
        "watch",
        "processes",
        "metrics",
        "score",
        "trackers",
    },
    {"data", "releases", "models.stack", "models.batch"},
    {"tasks"},
    {"models"},
    {"algorithms"},
    {"checkpoint", "saved", "chunks", "course", "written", "testing"},
    {"evaluation", "engine", "best", "optimiser"},
    {"results", "inspection"},
    {"comparison", "run", "log", "joint", "loop", "transfer", "cards"},
    {"metatraining", "reopening"},
    {"training"},
    {"report"},
    {"choice"},
    {"config", "complaints", "doctor", "further"},
    {"loading", "search", "clusters", "push"},
    {"classify"},
    {"commands", "serve"},
    {"cli"},
    {"__main__", "__init__"},
)
DOORS = {
    "datasets": "data/arrow.py",
    "transformers": "models/backbone.py",
    "peft": "models/lora.py",
    "jinja2": "report/page.py",
    "sacrebleu": "metrics/generation.py",
    "rouge_score": "metrics/generation.py",
    "accelerate": "trackers.py",
}


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level(module: str) -> int:
    """The level of a module such as 'models.lora', by its own name or its package's."""
    package = module.split(".")[0]
    own = [number for number, names in enumerate(LEVELS) if module in names]
    return own[0] if own else next(number for number, names in enumerate(LEVELS) if package in names)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_down(path: Path) -> None:
    if path.name == "__init__.py":
        return
    ours = [name.removeprefix("fewshot.") for name in imports(path) if name.startswith("fewshot.")]
    known = {name_of(other) for other in modules()}
    for module in ours:
        if module in known:
            assert level(module) <= level(name_of(path)), f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    users = [path for path in modules() if any(name.split(".")[0] == library for name in imports(path))]
    assert [str(path.relative_to(ROOT)) for path in users] == [DOORS[library]]


def test_learn2learn_has_one_door() -> None:
    users = [path for path in modules() if '"learn2learn' in path.read_text(encoding="utf-8")]
    texts = {str(path.relative_to(ROOT)) for path in users} - {"versions.py", "doctor.py"}
    assert texts == {"algorithms/learn2learn.py"}


def test_files_stay_small() -> None:
    long = {name_of(path): n for path in modules() if (n := path.read_text().count("\n")) > 300}
    assert not long

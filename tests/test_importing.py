"""A user's own module that fails as it is imported: one message that says which, why and where."""

from pathlib import Path

import pytest
from conftest import Cli

from fewshot.data.clean import Cleaning
from fewshot.errors import InputError
from fewshot.importing import imported
from fewshot.search.reading import class_named

pytestmark = pytest.mark.bad_input
BROKEN = {
    "syntax": ("def clean(text:\n", "SyntaxError: '(' was never closed", 1),
    "name": ("import os\n\nunknown_name\n", "NameError: name 'unknown_name' is not defined", 3),
    "import": (
        "import nowhere_to_be_found\n",
        "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        1,
    ),
    "attribute": ("import os\nos.nothing\n", "AttributeError: module 'os' has no attribute 'nothing'", 2),
    "value": ("x = int('a')\n", "ValueError: invalid literal for int() with base 10: 'a'", 1),
    "exit": ("import sys\nsys.exit(3)\n", "SystemExit: 3", 2),
}


@pytest.fixture(params=BROKEN)
def broken(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """The name of a module on the path, and what is to be said of `broken_NAME.clean`."""
    text, said, line = BROKEN[request.param]
    file = tmp_path / f"broken_{request.param}.py"
    file.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return file.stem, (
        f"the module of '{file.stem}.clean' fails as it is imported\n"
        f"  where:  {file}, line {line}\n"
        f"  got:    {said}\n"
        "  needed: a module that can be imported\n"
        f'  do:     mend it; `python -c "import {file.stem}"` shows the whole error'
    )


@pytest.mark.parametrize("part", ["family", "model", "algorithm"])
def test_on_the_command_line(part: str, broken: tuple[str, str], cli: Cli, tmp_path: Path) -> None:
    module, said = broken
    assert cli("train", f"--{part}", f"{module}.clean", "--out", tmp_path / "out") == (
        2,
        "",
        f"error: {said}\n",
    )
    assert not (tmp_path / "out").exists()


def test_in_a_configuration(broken: tuple[str, str], cli: Cli, tmp_path: Path) -> None:
    module, said = broken
    file = tmp_path / "config.yaml"
    file.write_text(f"family:\n  class_path: {module}.clean\n")
    assert cli("train", "--config", file, "--out", tmp_path / "out") == (2, "", f"error: {said}\n")


def test_functions_and_classes_of_a_search(broken: tuple[str, str]) -> None:
    module, said = broken
    for ask in (
        lambda: Cleaning(steps=[f"{module}.clean"]),
        lambda: class_named("algorithm", f"{module}.clean"),
    ):
        with pytest.raises(InputError) as raised:
            ask()
        assert str(raised.value) == said


@pytest.mark.parametrize(
    "name", ["nowhere.a", "os.nothing", "os.path.nothing", "fewshot.nothing.b", "a b", "", "."]
)
def test_what_is_not_there_is_told_as_ever(name: str) -> None:
    with pytest.raises((ImportError, AttributeError, ValueError)):
        imported(name)

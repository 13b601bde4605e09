"""Code that a run or a task names: what is not to be run is refused before anything of it is imported."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Cli

from fewshot.classify.learned import learned
from fewshot.errors import InputError
from fewshot.loading import load_learning
from fewshot.untrusted.code import check_code

pytestmark = pytest.mark.bad_input
EVIL = "from pathlib import Path\nPath({!r}).touch()\ndef clean(text): return text\nclass C: pass\n"
INSIDE = "error: code that lies in a run or a task is not run\n"


CODE: list[dict[str, Any]] = [
    {"family": {"init_args": {"reading": {"cleaning": {"steps": ["lower", "os.system"]}}}}},
    {"family": {"init_args": {"augmentation": {"operations": ["subprocess.getoutput"]}}}},
    {"family": {"init_args": {"reading": {"cleaning": {"steps": ["torch:load"]}}}}},
    {"model": {"parts": [{"steps": "sys.exit"}]}},
    {"family": {"steps": ["fewshot.files.os.system"]}},
    {"family": {"steps": ["fewshot.files:shutil.rmtree"]}},
    {"family": {"steps": ["fewshot.files.Path"]}},
    {"model": {"init_args": {"parts": [{"class_path": "os:system"}]}}},
    {"algorithm": "subprocess.Popen"},
    {"family": {"init_args": {"reading": {"cleaning": {"steps": ["nowhere_to_be_found.clean"]}}}}},
    {"family": {"init_args": {"reading": {"cleaning": {"steps+": ["os.system"]}}}}},
    {"family": {"init_args": {"reading.cleaning.steps": ["os.system"]}}},
    {"family": {"init_args": {"reading": "{cleaning: {steps: [os.system]}}"}}},
    {"family": {"init_args": {"reading": "{cleaning: '{\"\\x73teps\": [os.system]}'}"}}},
    {"family": "{class_path: os.system}"},
]


@pytest.mark.parametrize("config", CODE, ids=str)
def test_code_that_a_run_names(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError) as raised:
        check_code(config, tmp_path / "config.yaml")
    lines = str(raised.value).split("\n")
    assert lines[:2] == [
        "the run names code that is neither fewshot's nor your own",
        f"  where:  {tmp_path / 'config.yaml'}",
    ]
    module = lines[-1].rpartition("=")[2]
    monkeypatch.setenv("FEWSHOT_TRUST", f"other, {module}")
    check_code(config, tmp_path / "config.yaml")


def test_own_functions_and_classes_need_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_alone.py").write_text("import os\ndef clean(text): return text\n")
    (tmp_path / "mine_together" / "inside").mkdir(parents=True)
    (tmp_path / "mine_together" / "inside" / "part.py").write_text("def clean(text): return text\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    steps = ["lower", "fewshot.data.hooks.function_of", "mine_alone.clean", "mine_together.inside.part.clean"]
    family = {"class_path": "somebody.Tasks", "init_args": {"reading": {"cleaning": {"steps": steps}}}}
    check_code({"family": family}, tmp_path / "run" / "config.yaml")
    with pytest.raises(InputError, match="neither fewshot's nor your own"):
        check_code({"family": {"steps": ["mine_alone.os.system"]}}, tmp_path / "run" / "config.yaml")


def test_a_run_that_would_run_a_command(cli: Cli, run: str, tmp_path: Path) -> None:
    """`os.system` as a cleaning step would be called with every text of the data."""
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    config = yaml.safe_load((copy / "config.yaml").read_text())
    data = tmp_path / "data.jsonl"
    rows = [{"text": f"touch {tmp_path / 'written'}; # {n}", "label": c} for c in "abcdef" for n in range(5)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    reading = {"cleaning": {"steps": ["os.system"]}}
    init = {"source": str(data), "way": 2, "shot": 1, "queries": 1, "reading": reading}
    config["family"] = {"class_path": "fewshot.tasks.nway.NWayKShot", "init_args": init}
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    code, _, err = cli("evaluate", copy)
    assert (code, err) == (
        2,
        "error: the run names code that is neither fewshot's nor your own\n"
        f"  where:  {copy / 'config.yaml'}\n"
        "  got:    os.system\n"
        "  needed: code of fewshot, or of a file of yours that is on the path\n"
        "  do:     if you trust whoever wrote the run, set FEWSHOT_TRUST=os\n",
    )
    assert not (tmp_path / "written").exists()


@pytest.fixture
def run(runs: Callable[[str], str]) -> str:
    """One kind of run is enough here."""
    return runs("ProtoNet")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory that is on the path; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("runs", "strangers", "link", "evil", "mine", "yours"):
            del sys.modules[name]


def planted(folder: Path, name: str = "evil.py") -> Path:
    """Puts a module into a folder that says when it is imported."""
    said = folder.parent / "imported"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(EVIL.format(str(said)))
    return said


def changed(run: str, to: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a run with another configuration."""
    shutil.copytree(run, to)
    config = yaml.safe_load((to / "config.yaml").read_text())
    change(config)
    (to / "config.yaml").write_text(yaml.safe_dump(config))
    return to


def cleaned(name: str) -> Callable[[dict[str, Any]], None]:
    """Changes a configuration into one that cleans texts by a function."""

    def change(config: dict[str, Any]) -> None:
        init = {"source": "none.jsonl", "way": 2, "shot": 1, "queries": 1}
        init["reading"] = {"cleaning": {"steps": [name]}}
        config["family"] = {"class_path": "fewshot.tasks.nway.NWayKShot", "init_args": init}

    return change


def of_class(part: str, name: str) -> Callable[[dict[str, Any]], None]:
    """Changes a configuration into one whose part is of another class."""
    return lambda config: config.update({part: {"class_path": name}})


def test_a_function_in_the_run_itself(cli: Cli, run: str, home: Path) -> None:
    folder = changed(run, home / "runs" / "x", cleaned("runs.x.evil.clean"))
    said = planted(folder)
    for command in (("evaluate", folder), ("compare", folder), ("evaluate", "runs/x")):
        code, _, err = cli(*command)
        assert (code, err[: len(INSIDE)]) == (2, INSIDE), err
        assert f"  got:    runs.x.evil.clean, which is {folder.resolve() / 'evil.py'}\n" in err
    with pytest.raises(InputError, match="code that lies in a run"):
        learned(folder)
    assert not said.exists()


@pytest.mark.parametrize("part", ["family", "model", "algorithm"])
def test_a_class_in_the_run_itself(part: str, cli: Cli, run: str, home: Path) -> None:
    folder = changed(run, home / "runs" / "x", of_class(part, "runs.x.evil.C"))
    said = planted(folder)
    code, _, err = cli("evaluate", folder)
    assert (code, err[: len(INSIDE)]) == (2, INSIDE), err
    with pytest.raises(InputError, match="code that lies in a run"):
        load_learning(folder)
    assert not said.exists()


def test_trust_does_not_reach_into_a_run(run: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWSHOT_TRUST", "runs,runs.x,runs.x.evil")
    folder = changed(run, home / "runs" / "x", of_class("algorithm", "runs.x.evil.C"))
    said = planted(folder)
    with pytest.raises(InputError, match="code that lies in a run"):
        load_learning(folder)
    assert not said.exists()


MARKED = [("run.json", "config.yaml"), ("task.json", "support.jsonl"), ("search.json", "trials.csv")]


@pytest.mark.parametrize("marks", MARKED, ids=str)
def test_code_in_another_run_or_task(marks: tuple[str, ...], home: Path) -> None:
    for mark in marks:
        (home / "strangers").mkdir(exist_ok=True)
        (home / "strangers" / mark).touch()
    said = planted(home / "strangers", "deeper/evil.py")
    for config in (
        {"family": {"init_args": {"reading": {"cleaning": {"steps": ["strangers.deeper.evil.clean"]}}}}},
        {"family": {"class_path": "strangers.deeper.evil.C"}},
        {"model": {"init_args": {"inner": "strangers.deeper.evil.C"}}},
        {"model": "{class_path: strangers.deeper.evil.C}"},
    ):
        with pytest.raises(InputError, match="code that lies in a run"):
            check_code(config, home / "other" / "config.yaml")
    (home / "strangers" / marks[0]).unlink()
    check_code({"family": {"class_path": "strangers.deeper.evil.C"}}, home / "other" / "config.yaml")
    assert not said.exists()


def links(home: Path, run: Path) -> Iterator[tuple[str, Path]]:
    """Names and the files through which they lead into a run or out of it."""
    (home / "link").symlink_to(run)
    yield "link.evil.clean", home / "link" / "evil.py"
    (home / "mine.py").symlink_to(run / "evil.py")
    yield "mine.clean", home / "mine.py"
    (home / "outside.py").write_text("def clean(text): return text\n")
    (run / "out.py").symlink_to(home / "outside.py")
    yield "strangers.out.clean", run / "out.py"


def test_symbolic_links(home: Path) -> None:
    said = planted(home / "strangers")
    for name, file in links(home, home / "strangers"):
        with pytest.raises(InputError, match="code that lies in a run") as raised:
            check_code({"family": {"steps": [name]}}, home / "strangers" / "config.yaml")
        assert f"  got:    {name}, which is {file}\n" in str(raised.value)
    assert not said.exists()


@pytest.mark.parametrize("ending", [".pyc", ".abi3.so", "/__init__.py"])
def test_modules_of_other_kinds(ending: str, home: Path) -> None:
    planted(home / "strangers", f"evil{ending}")
    with pytest.raises(InputError, match="code that lies in a run"):
        check_code({"family": {"steps": ["strangers.evil.clean"]}}, home / "strangers" / "config.yaml")


def test_all_names_are_judged_before_one_is_imported(home: Path) -> None:
    said = planted(home / "yours", "evil.py")
    steps = ["os.system", "yours.evil.clean"]
    for order in (steps, steps[::-1]):
        with pytest.raises(InputError, match="neither fewshot's nor your own"):
            check_code({"family": {"steps": order}}, home / "run" / "config.yaml")
    assert not said.exists()
    check_code({"family": {"steps": steps[1:]}}, home / "run" / "config.yaml")
    assert said.exists()  # a file of the user's is imported as ever


def test_a_task_that_names_code_in_itself(cli: Cli, home: Path) -> None:
    folder, model = home / "tasks" / "x", {"class_path": "tasks.x.evil.C", "init_args": {}}
    said = planted(folder)
    about = {"schema": 1, "run": "a", "backbone": "minilm", "model": model, "algorithm": {}, "seconds": 1.0}
    (folder / "task.json").write_text(json.dumps(about))
    code, _, err = cli("predict", folder)
    assert (code, err[: len(INSIDE)]) == (2, INSIDE), err
    assert not said.exists()


def test_a_training_that_goes_on(cli: Cli, run: str, home: Path) -> None:
    folder = changed(run, home / "runs" / "x", of_class("algorithm", "runs.x.evil.C"))
    said = planted(folder)
    code, _, err = cli("train", "--resume", folder)
    assert (code, err[: len(INSIDE)]) == (2, INSIDE), err
    assert not said.exists()


def test_a_configuration_of_ones_own(cli: Cli, run: str, home: Path) -> None:
    """Who gives a file says that it is his: it may name what he likes, wherever it lies."""
    folder = changed(run, home / "runs" / "x", of_class("algorithm", "runs.x.evil.C"))
    said = planted(folder)
    code, _, err = cli("train", "--config", folder / "config.yaml", "--out", home / "out")
    assert (code, "code that lies in a run" in err) == (2, False), err  # evil.C is no algorithm
    assert said.exists()


def test_a_run_is_not_put_on_the_path(
    cli: Cli, run: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = changed(run, home / "runs" / "x", of_class("algorithm", "evil.C"))
    said = planted(folder)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])  # as `python -m fewshot` has it
    monkeypatch.chdir(folder)
    code, _, _ = cli("evaluate", ".")
    assert (code, str(folder) in sys.path, said.exists()) == (2, False, False)


def further(run: str, home: Path, name: str, content: object) -> Path:
    """A run whose options for reading stand in another file."""

    def change(config: dict[str, Any]) -> None:
        cleaned("lower")(config)
        config["family"]["init_args"]["reading"] = name

    folder = changed(run, home / "run", change)
    (folder / "reading.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.mark.parametrize("name", ["reading.yaml", "run/reading.yaml", "{cleaning: reading.yaml}"])
def test_options_in_a_further_file(name: str, cli: Cli, run: str, home: Path) -> None:
    """What such a file names would not have been looked at."""
    folder = further(run, home, name, {"cleaning": {"steps": ["os.system"]}})
    code, _, err = cli("evaluate", folder)
    assert (code, err.split("\n")[0]) == (2, "error: a run or a task has its options in one file"), err


def test_data_that_could_be_options(cli: Cli, run: str, home: Path) -> None:
    """A file of data may look like a file of options; where the name of a file is wanted it is none."""
    folder = further(run, home, "{}", {})
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["family"]["init_args"] |= {"reading": {}, "source": "data.json"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (home / "data.json").write_text('{"a": 1}')
    code, _, err = cli("evaluate", folder)
    assert (code, "in one file" in err, "data.json" in err) == (2, False, True), err


@pytest.mark.parametrize("option", ["out", "config", "name", "overwrite", "family.init_args.way"])
def test_options_of_the_command_line(option: str, cli: Cli, run: str, home: Path) -> None:
    folder = changed(run, home / "run", lambda config: config.update({option: "x"}))
    code, _, err = cli("compare", folder, "--baselines", "prototypes")
    assert (code, err.split("\n")[0]) == (2, "error: the run sets an option of the command line"), err


def test_a_text_that_is_too_much(home: Path) -> None:
    config = {"model": {"init_args": {"prompt": "[" * 100}}}
    with pytest.raises(InputError, match="the configuration cannot be judged"):
        check_code(config, home / "config.yaml")
    for text in ("Text: {text}\nLabel:", "a: b: c", "- [", "{text}", "* a", "x.y", "a\x00.b"):
        check_code({"model": {"init_args": {"prompt": text}}}, home / "config.yaml")


def test_options_of_a_model_in_a_further_file(run: str, home: Path) -> None:
    """What learns a task is parsed elsewhere, so that the other file is named in full."""
    file = home / "run" / "lora.yaml"
    folder = changed(run, home / "run", lambda c: c["model"]["init_args"].update(lora=str(file)))
    file.write_text("rank: 2\n")
    with pytest.raises(InputError, match="a run or a task has its options in one file"):
        load_learning(folder)

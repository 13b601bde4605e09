"""What a language model learned to write, from Python and from the command line."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli

from fewshot import Evaluation, FewShotWriter, InputError, StringTasks, evaluate
from fewshot.classify.store import load_task
from fewshot.classify.task import write
from fewshot.cli import main
from fewshot.evaluation import TaskResult
from fewshot.loading import load_learning

OPTIONS = ("--family=StringTasks", "--family.shot=4", "--family.queries=3", "--model=LoraCausal")
LITTLE = (
    "--model.max_length=128", "--model.max_new_tokens=40", "--model.compute.dtype=float32",
    "--training.steps=2", "--training.meta_batch=2", "--validation.every=0", "--evaluation.episodes=1",
    "--evaluation.inspected=0", "--evaluation.influence=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def writing_run(causal_backbone: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of a language model that was trained to write."""
    out = tmp_path_factory.mktemp("runs") / "writing"
    words = [*OPTIONS, f"--model.backbone={causal_backbone('llama')}", *LITTLE]
    silent = io.StringIO()
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        assert main(["train", "--algorithm=MAMLAdam", *words, "--out", str(out)]) == 0
    return str(out)


@pytest.fixture
def result(writing_run: str) -> TaskResult:
    """A task of its family as the evaluation adapts to it."""
    model, algorithm = load_learning(Path(writing_run))
    (found,) = evaluate(StringTasks(4, 3), model, algorithm, Evaluation(episodes=1, curve=False))
    return found


def answers(result: TaskResult) -> tuple[list[str], list[str], list[str], list[str]]:
    """Texts and answers of the support set, texts of the queries, what the evaluation wrote to these."""
    assert result.written is not None
    support = result.episode.support
    asked = [example.text for example in result.episode.query]
    return [e.text for e in support], [e.label for e in support], asked, list(result.written.outputs)


def test_it_writes_what_the_evaluation_writes(writing_run: str, result: TaskResult, tmp_path: Path) -> None:
    texts, labels, asked, wanted = answers(result)
    writer = FewShotWriter(writing_run, device="cpu").fit(texts, labels)
    assert writer.predict(asked) == wanted
    assert any(wanted)
    writer.save(tmp_path / "task")
    stored = load_task(tmp_path / "task")
    assert write(stored.meta, stored.task, asked) == wanted
    about = json.loads((tmp_path / "task" / "task.json").read_text())
    assert (about["writes"], about["classes"]) == (True, [])


def test_the_commands_write_too(cli: Cli, writing_run: str, result: TaskResult, tmp_path: Path) -> None:
    texts, labels, asked, wanted = answers(result)
    support, new = tmp_path / "support.jsonl", tmp_path / "new.txt"
    lines = [json.dumps({"plain": a, "out": b}) for a, b in zip(texts, labels, strict=True)]
    support.write_text("\n".join(lines))
    words = ["adapt", writing_run, "--support", support, "--text", "plain", "--label", "out"]
    code, out, err = cli(*words, "--write", "--out", tmp_path / "task")
    assert (code, err) == (0, "")
    assert out.startswith("4 examples in ")
    long = " ".join(["word"] * 200)
    told = "1 texts are longer than 128 tokens: the rest of them was not read\n"
    with support.open("a") as file:
        file.write("\n" + json.dumps({"plain": long, "out": "word"}))
    assert cli(*words, "--write", "--out", tmp_path / "long")[2] == told
    new.write_text("\n".join([*asked, long]))
    code, out, err = cli("predict", tmp_path / "task", "--texts", new, "--batch", 2)
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["text"] for row in found[:3]] == asked
    assert [row["written"] for row in found[:3]] == wanted
    assert err == told


@pytest.mark.bad_input
def test_what_writes_and_what_chooses_are_told_apart(
    cli: Cli, writing_run: str, runs: Callable[..., str], tmp_path: Path
) -> None:
    support, out = tmp_path / "support.csv", tmp_path / "task"
    support.write_text("text,label\na b,b a\nc d,d c\n")
    code, _, err = cli("adapt", writing_run, "--support", support, "--out", out)
    assert code == 2
    assert "this run was trained to write answers" in err
    assert "--write" in err
    code, _, err = cli("adapt", runs("MAMLAdam"), "--support", support, "--out", out, "--write")
    assert (code, "this run cannot write" in err) == (2, True)
    assert not out.exists()
    assert cli("adapt", writing_run, "--support", support, "--out", out, "--write")[0] == 0
    code, _, err = cli("predict", out, "--texts", support, "--explain", 1)
    assert (code, "knows no distances" in err) == (2, True)
    with pytest.raises(InputError, match="learned nothing yet"):
        FewShotWriter(writing_run).predict(["a b"])
    with pytest.raises(InputError, match="the answers, number 2"):
        FewShotWriter(writing_run).fit(["a b", "c d"], ["b a", " "])

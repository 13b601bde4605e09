"""What the commands do with data: leaks are reported or refused, manifests written and replayed."""

import csv
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from tasks.made import OUTSIDE, TWELVE, published, rows

from fewshot.cli import main


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def saved(content: list[dict[str, Any]], name: str = "talk.jsonl") -> str:
    Path(name).write_text("\n".join(json.dumps(row) for row in content))
    return name


def lines_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "tasks.csv").open() as file:
        return list(csv.DictReader(file))


def train(tiny_backbone: str, *options: str, source: str = "talk.jsonl", family: str = "NWayKShot") -> int:
    counts = ["--family.way=2", "--family.shot=2", "--family.queries=2"]
    quick = [
        "--training.steps=1",
        "--training.meta_batch=1",
        "--validation.every=0",
        "--evaluation.episodes=3",
    ]
    model = [f"--model.backbone={tiny_backbone}", "--algorithm=ProtoNet"]
    words = ["train", f"--family={family}", f"--family.source={source}", *counts, *quick, *model, *options]
    return main(words)


def test_a_run_says_what_it_was_drawn_from(tiny_backbone: str) -> None:
    saved([*rows(TWELVE), {"text": "class00  NUMBER 0", "label": "class00"}])
    assert train(tiny_backbone, "--out=run", "--family.reading.cleaning.steps=[spaces,lower]") == 0
    content = json.loads(Path("run/data.json").read_text())
    (source,) = content["sources"]
    assert (source["source"], source["revision"], len(source["sha256"])) == ("talk.jsonl", None, 64)
    assert source["cleaned"] == {"spaces": 1, "lower": 1, "left out: repeated": 1}
    assert source["pools"]["train"] == {"talk.jsonl (train)": {"classes": 6, "examples": 72}}
    assert content["complete"]


def test_leaks_are_said_and_kept_or_refused(tiny_backbone: str, capsys: pytest.CaptureFixture[str]) -> None:
    shared = [{"text": "the very same question about it all", "label": label} for label in TWELVE]
    saved(rows(TWELVE) + shared)
    assert train(tiny_backbone, "--out=run") == 0
    said = "1 texts on two sides (train and test), such as 'the very same question about it all'"
    assert said in capsys.readouterr().err
    kinds = {leak["kind"] for leak in json.loads(Path("run/data.json").read_text())["leaks"]}
    assert "text" in kinds
    assert train(tiny_backbone, "--out=other", "--strict") == 2
    assert "error: the sides are not apart: 1 texts on two sides" in capsys.readouterr().err
    assert not Path("other").exists()


def test_an_evaluation_is_replayed_from_its_manifest(
    tiny_backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(rows(TWELVE))
    assert train(tiny_backbone, "--out=run") == 0
    assert main(["evaluate", "run", "--episodes=4", "--evaluation.seed=7", "--name=first"]) == 0
    first = Path("run/evaluations/first")
    assert main(["evaluate", "run", f"--manifest={first / 'manifest.json'}", "--name=again"]) == 0
    again = Path("run/evaluations/again")
    assert (again / "manifest.json").read_text() != ""
    mine, theirs = (json.loads((folder / "manifest.json").read_text()) for folder in (first, again))
    assert theirs["episodes"] == mine["episodes"][:3]  # the run's evaluation.episodes is 3
    assert theirs["seed"] == 7
    scores = [[row["accuracy"] for row in lines_of(folder)] for folder in (first, again)]
    assert scores[1] == scores[0][:3]
    saved(rows(TWELVE, each=13))
    assert main(["evaluate", "run", f"--manifest={first / 'manifest.json'}", "--name=third"]) == 2
    assert "error: the data is not what the manifest was made from\n" in capsys.readouterr().err
    assert not Path("run/evaluations/third").exists()


def test_rejection_is_measured_where_there_are_queries_from_outside(
    tiny_backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(OUTSIDE)
    assert train(tiny_backbone, "--out=run", "--family.outside=4", family="OutOfScope") == 0
    summary = json.loads(Path("run/summary.json").read_text())
    values = [float(row["auroc"]) for row in lines_of(Path("run"))]
    assert summary["auroc"]["mean"] == pytest.approx(sum(values) / 3)
    assert all(0 <= value <= 1 for value in values)
    assert "rejection (AUROC)" in capsys.readouterr().out


def test_augmented_support_does_not_count_as_shot(tiny_backbone: str) -> None:
    saved(rows(TWELVE))
    options = ["--family.augmentation.copies=3", "--family.augmentation.sides=all", "--out=run"]
    assert train(tiny_backbone, *options) == 0
    assert {row["shot"] for row in lines_of(Path("run"))} == {"2"}
    (first, *_) = json.loads(Path("run/manifest.json").read_text())["episodes"]
    assert len(first["support"]) == 4
    assert first["augmented"]


def test_texts_to_be_written_need_another_model(
    tiny_backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = [
        {"task": f"t{t}", "input": f"in {t} {n}", "output": f"out {n}"} for t in range(10) for n in range(20)
    ]
    saved(content)
    words = ["train", "--family=Records", "--family.source=talk.jsonl", f"--model.backbone={tiny_backbone}"]
    assert main([*words, "--out=run"]) == 2
    assert (
        "error: this episode has no classes: its labels are texts to be written\n" in capsys.readouterr().err
    )
    assert not Path("run").exists()


def test_what_is_set_to_null_stays_null(tiny_backbone: str) -> None:
    """Or an evaluation would be of another family: of support rows that are published, say."""
    content = [
        {"task": f"t{t}", "text": f"{t} {label} {n}", "label": label, "split": "train" if n % 2 else "test"}
        for t in range(10)
        for label in ("no", "yes")
        for n in range(8)
    ]
    saved(content)
    words = [
        "train",
        "--family=Domains",
        "--family.source=talk.jsonl",
        "--family.rows=null",
        "--family.shot=2",
    ]
    quick = ["--family.queries=2", "--training.steps=0", "--evaluation.episodes=3", "--algorithm=ProtoNet"]
    assert main([*words, *quick, f"--model.backbone={tiny_backbone}", "--out=run"]) == 0
    assert main(["evaluate", "run", "--name=again"]) == 0
    ours, theirs = (json.loads(Path(f"run/{f}manifest.json").read_text()) for f in ("", "evaluations/again/"))
    assert ours == theirs


def test_a_family_for_the_test_alone_is_evaluated_without_training(tiny_backbone: str) -> None:
    saved(published())
    words = ["train", "--family=PublishedEpisodes", "--family.source=talk.jsonl", "--family.shots=2"]
    quick = ["--family.queries=2", "--training.steps=0", "--evaluation.episodes=3", "--algorithm=ProtoNet"]
    assert main([*words, *quick, f"--model.backbone={tiny_backbone}", "--out=run"]) == 0

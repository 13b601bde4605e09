"""The model card of a run: what the hub reads of it, and that it says what the run's own files say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cards import FAMILY, TRAINING, again, metadata, results, rows_of, section, trained
from conftest import CausalMaker, LearnerMaker
from huggingface_hub import ModelCard

from fewshot import NWayKShot
from fewshot.cards.card import card
from fewshot.data.split import ClassSplit
from fewshot.metrics.scores import SCORES
from fewshot.models.lstm import LstmEncoder
from fewshot.tasks.records import Records
from fewshot.tasks.strings import StringTasks

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
LICENCE = "MIT License | of the *repository*\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A data set whose licence and classes are awkward in a table."""
    folder = tmp_path / "some | corpus"
    folder.mkdir()
    lines = [
        json.dumps({"text": text, "label": f"a|b\n`{c}`"})
        for c in range(12)
        for text in [
            "what every class says, word for word",
            *(f"words {c} of the text {n}" for n in range(5)),
        ]
    ]
    (folder / "data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "SOURCE.md").write_text(
        f"# corpus\n\n- licence as stated in that repository: {LICENCE}- paper: x\n"
    )
    return folder


def test_the_hub_reads_the_figures_of_the_summary(make_learner: LearnerMaker, tmp_path: Path) -> None:
    _, text = trained(make_learner(), tmp_path / "run")
    assert str(ModelCard.load(tmp_path / "run" / "README.md")) == text
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    found = results(text)
    assert {each.metric_type: each.metric_value for each in found} == {
        name: summary[name]["mean"] for name in ("accuracy", "recall", "f1")
    }
    assert {each.task_type for each in found} == {"text-classification"}
    assert {each.dataset_name for each in found} == {"Attributes"}
    head = metadata(text)
    assert (head["library_name"], head["pipeline_tag"]) == ("peft", "text-classification")
    assert head["model-index"][0]["name"] == "run"
    assert head["tags"] == ["few-shot", "meta-learning", "lora", "fewshot"]
    assert "license" not in head, "the backbone states none"
    assert "base_model" not in head, "a folder is no model of the hub"


def test_the_tables_say_what_the_files_say(make_learner: LearnerMaker, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run, text = trained(make_learner(), folder)
    summary = json.loads((folder / "summary.json").read_text())
    found = rows_of(text, "Test results")
    for name in SCORES:
        low, high = summary[name]["ci95"]
        before, after = summary["before"][name]["mean"], summary[name]["mean"]
        assert found[name] == [f"{before:.4f}", f"{after:.4f}", f"{low:.4f} to {high:.4f}"]
    assert section(text, "Test results").startswith("3 test tasks, 3-way 2-shot, seed 0.\n")
    parts = rows_of(text, "What it is")
    size = sum(file.stat().st_size for file in (folder / "adapter").iterdir())
    numbers = sum(value.numel() for value in run.model.adapter().values())
    assert parts["adapter"] == [f"rank 8, {numbers:,} parameters, {size:,} bytes"]
    assert parts["algorithm"] == ["MAML, order 1"]
    assert parts["training"] == ["at most 2 outer steps of 2 tasks, seed 7"]
    said = section(text, "Versions").splitlines()[1:-1]
    assert dict(line.split("==") for line in said) == {n: v for n, v in summary["versions"].items() if v}


def test_no_path_of_this_machine_stands_in_it(
    make_learner: LearnerMaker, corpus: Path, tmp_path: Path
) -> None:
    _, text = trained(make_learner(), tmp_path / "run", NWayKShot(str(corpus), way=2, shot=2, queries=2))
    assert str(tmp_path) not in text
    assert str(tmp_path.parent) not in text
    assert rows_of(text, "What it is")["backbone, frozen"] == ["tiny"]


def test_the_data_is_named_with_checksum_sides_and_licence(
    make_learner: LearnerMaker, corpus: Path, tmp_path: Path
) -> None:
    family = NWayKShot(str(corpus), way=2, shot=2, queries=2)
    run, text = trained(make_learner(), tmp_path / "run", family)
    (source,) = json.loads((tmp_path / "run" / "data.json").read_text())["sources"]
    sizes = [next(iter(source["pools"][side].values())) for side in ("train", "valid", "test")]
    assert sum(size["examples"] for size in sizes) == 72
    assert rows_of(text, "Data") == {
        "some | corpus": [
            f"sha256 {source['sha256']}",
            *(f"{size['examples']} examples, {size['classes']} classes" for size in sizes),
            "MIT License | of the *repository*",
        ]
    }
    assert (
        "On two sides: 1 texts (train and valid), 1 texts (train and test), 1 texts (valid and test)." in text
    )
    drawn = {name for result in run.results for name in result.episode.classes}
    assert f"- Tested on {len(drawn)} classes of the test side alone, not seen in training.\n" in text
    assert {(each.dataset_type, each.dataset_name) for each in results(text)} == {("some | corpus",) * 2}


def test_a_data_set_of_the_hub_is_named_by_its_id(
    make_learner: LearnerMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = trained(make_learner(), tmp_path / "run")
    hub: dict[str, Any] = {
        "source": "banking77",
        "revision": "0f2e1a",
        "sha256": None,
        "cleaned": {},
        "pools": {},
    }
    (tmp_path / "data.md").write_text("---\nlicense: mit\n---\n")
    asked: list[Any] = []

    def cached(*arguments: Any, **options: Any) -> str:
        asked.append((arguments, options))
        return str(tmp_path / "data.md")

    monkeypatch.setattr("fewshot.cards.licences.try_to_load_from_cache", cached)
    monkeypatch.delenv("FEWSHOT_DATA", raising=False)
    text = card(run, tmp_path / "run", FAMILY, TRAINING, {"sources": [hub], "leaks": [], "complete": False})
    assert asked == [(("mteb/banking77", "README.md"), {"revision": "0f2e1a", "repo_type": "dataset"})]
    assert metadata(text)["datasets"] == ["mteb/banking77"]
    assert {each.dataset_revision for each in results(text)} == {"0f2e1a"}
    assert rows_of(text, "Data") == {"mteb/banking77": ["revision 0f2e1a", "none", "none", "none", "mit"]}
    assert "; not all texts were compared." in text


def test_a_backbone_of_the_hub_is_named_with_its_licence(make_learner: LearnerMaker, tmp_path: Path) -> None:
    run, _ = trained(make_learner(), tmp_path / "run")
    file = tmp_path / "run" / "adapter" / "adapter_config.json"
    config = json.loads(file.read_text()) | {"base_model_name_or_path": MINILM}
    file.write_text(json.dumps(config))
    text = again(run, tmp_path / "run")
    assert metadata(text)["base_model"] == MINILM
    assert metadata(text)["license"] == "apache-2.0", "of the backbone; no data was read"
    assert "The backbone: apache-2.0. These weights: apache-2.0, which all that they were made from" in text
    assert f'base = "{MINILM}"\n' in text


def test_a_run_that_writes(make_causal: CausalMaker, tmp_path: Path) -> None:
    learner = make_causal(max_new_tokens=4)
    run, text = trained(learner, tmp_path / "run", StringTasks(2, 2))
    assert metadata(text)["pipeline_tag"] == "text-generation"
    found = rows_of(text, "Test results")
    for name, score in run.summary["generation"].items():
        before = run.summary["before"][name]
        assert found[name][:2] == [f"{before['mean']:.4f}", f"{score['mean']:.4f}"]
    assert "3 test tasks, 2 support examples, seed 0." in text
    assert re.search(r"Tested on \d tasks of the test side alone", text)
    assert "AutoModelForCausalLM.from_pretrained(base)" in text


def test_data_without_classes_is_counted_in_tasks(make_causal: CausalMaker, tmp_path: Path) -> None:
    rows = [{"task": t, "input": f"{t} {n}", "output": f"{n}"} for t in "abcd" for n in range(4)]
    family = Records(rows, 2, 2, split=ClassSplit(lists={"train": ["a", "b"], "valid": ["c"], "test": ["d"]}))
    _, text = trained(make_causal(max_new_tokens=2), tmp_path / "run", family)
    ((_, *sizes, _),) = rows_of(text, "Data").values()
    assert sizes == ["8 examples, 2 tasks", "4 examples, 1 task", "4 examples, 1 task"]


def test_a_model_of_its_own_format_is_none_of_peft(tmp_path: Path) -> None:
    _, text = trained(LstmEncoder(), tmp_path / "run")
    head = metadata(text)
    assert (head["library_name"], head["tags"]) == ("fewshot", ["few-shot", "meta-learning", "fewshot"])
    assert "PeftModel" not in text
    assert "\nA model, meta-trained by fewshot" in text
    assert "license" not in head


def test_the_summary_is_written_after_it(
    make_learner: LearnerMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        if path.name == "README.md":
            raise OSError("no space")
        path.write_text(text, encoding="utf-8")

    monkeypatch.setattr("fewshot.run.write_text", full)
    with pytest.raises(OSError, match="no space"):
        trained(make_learner(), tmp_path / "run")
    assert (tmp_path / "run" / "manifest.json").exists()
    assert not (tmp_path / "run" / "summary.json").exists()

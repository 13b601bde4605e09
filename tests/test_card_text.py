"""The text of a model card: any name in its tables, code that runs, limits that follow from the run."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cards import FAMILY, again, cells, metadata, section, trained
from conftest import Cli, LearnerMaker
from huggingface_hub import ModelCard

from fewshot import Evaluation, TaskFamily
from fewshot.algorithms.algorithms import BASELINES
from fewshot.cards.body import plain, table
from fewshot.cards.facts import Adapter


class Untold(TaskFamily):
    """A family with one side for all."""

    def episode(self, index: int, generator: Any) -> Any:
        return replace(FAMILY.split("train").episode(index, generator), source="a | b")


def test_limits_follow_from_the_run(make_learner: LearnerMaker, tmp_path: Path) -> None:
    one = Evaluation(episodes=1)
    _, text = trained(make_learner(), tmp_path / "untold", Untold(), evaluation=one)
    assert "- Tested on 3 classes of a family that keeps no side apart: training may have seen them." in text
    assert "There is one of the test tasks: its score is all that is known" in text
    assert "trained once, with seed 7" in text
    _, text = trained(make_learner(), tmp_path / "baseline", algorithm=BASELINES["prototypes"]())
    assert "\nA LoRA adapter, not meta-trained by fewshot" in text
    assert "; nothing was meta-trained." in text
    assert "trained once" not in text
    repeated = Evaluation(episodes=4, repeats=2)
    _, text = trained(make_learner(), tmp_path / "repeated", evaluation=repeated)
    assert "each set of classes drawn 2 times" in text
    assert "The intervals are Student's over" in text


def test_commands_are_named_where_they_can_take_the_run(
    cli: Cli, make_learner: LearnerMaker, tiny_backbone: str, tmp_path: Path
) -> None:
    words = ["--training.steps=1", "--validation.every=0", "--evaluation.episodes=2", "--family.mentions=3"]
    assert cli("train", *words, f"--model.backbone={tiny_backbone}", "--out", tmp_path / "run")[0] == 0
    use = section((tmp_path / "run" / "README.md").read_text(), "Use")
    assert "\nfewshot evaluate RUN\n" in use
    assert "\nfewshot adapt RUN --support FILE --out DIR\n" in use
    assert cli("evaluate", tmp_path / "run", "--name=more")[0] == 0
    assert not (tmp_path / "run" / "evaluations" / "more" / "README.md").exists()
    _, text = trained(make_learner(), tmp_path / "python")
    assert "```bash" not in text, "started from Python: nothing says how to build its parts"


@pytest.mark.parametrize(
    "text", ["a|b", "two\nlines", "\\|", "`x` <b> [y](z) *c* _d_ # & $e$", "\r\n---\n", ""]
)
def test_any_text_stays_in_its_cell(text: str) -> None:
    lines = table(("one", "two"), [(text, "end")]).splitlines()
    assert len(lines) == 3
    assert cells(lines[2]) == [" ".join(text.split()), "end"]


def test_markup_is_shown_as_it_stands() -> None:
    assert plain("<b>*x*</b>") == r"\<b\>\*x\*\</b\>"


def test_a_name_of_several_lines_does_not_end_the_metadata(
    make_learner: LearnerMaker, tmp_path: Path
) -> None:
    folder = tmp_path / "x\n---\ny: |"
    _, text = trained(make_learner(), folder)
    assert metadata(text)["model-index"][0]["name"] == "x --- y: |"
    assert ModelCard(text).text.startswith("\n# x --- y: \\|\n")


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT asks by an old name
def test_its_code_loads_the_adapter(make_learner: LearnerMaker, tiny_backbone: str, tmp_path: Path) -> None:
    run, text = trained(make_learner(), tmp_path / "run")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert 'base = "tiny"  # a folder' in code
    here = code.replace('"tiny"', repr(tiny_backbone)).replace(
        '"adapter"', repr(str(tmp_path / "run" / "adapter"))
    )
    names: dict[str, Any] = {}
    exec(here, names)
    loaded = {n for n, value in names["model"].named_parameters() if "lora_B" in n and value.abs().sum() > 0}
    assert len(loaded) == len(run.model.adapter()) / 2


def test_random_weights_are_loaded_by_nobody(make_learner: LearnerMaker, tmp_path: Path) -> None:
    run, _ = trained(make_learner(), tmp_path / "run")
    file = tmp_path / "run" / "adapter" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": "shape:gpt2"}))
    text = again(run, tmp_path / "run")
    assert "PeftModel" not in text
    assert Adapter.read(tmp_path / "run" / "adapter").hub_base is None

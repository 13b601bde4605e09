"""Classes and answers that a language model cannot take are refused before anything is learned."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from conftest import Cli

SMALL = (
    "--model.max_length=64", "--model.max_new_tokens=8", "--model.lora.rank=2",
    "--training.steps=1", "--training.meta_batch=1", "--validation.every=0", "--evaluation.episodes=1",
)  # fmt: skip


@pytest.fixture
def train(cli: Cli, causal_backbone: Callable[[str], str], tmp_path: Path) -> Callable[..., str]:
    """Trains on rows and gives the message that this ends in."""

    def ended(rows: Iterable[Mapping[str, str]], *options: str) -> str:
        data = tmp_path / "rows.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        words = ["train", "--model=LoraCausal", f"--model.backbone={causal_backbone('gpt2')}", *SMALL]
        source = f"--family.source={data}"
        code, _, err = cli(*words, *options, source, "--out", tmp_path / "run")
        assert (code, (tmp_path / "run").exists()) == (2, False)
        return str(err)

    return ended


def records(wrong: str) -> list[dict[str, str]]:
    """Records of 30 tasks; the last task has one answer that is wrong among 40."""
    found = [
        {"task": f"t{t:02d}", "input": f"word {t} {n}", "output": f"out {n}"}
        for t in range(30)
        for n in range(40)
    ]
    found[-1]["output"] = wrong
    return found


@pytest.mark.bad_input
def test_an_answer_that_no_prompt_has_room_for(train: Callable[..., str]) -> None:
    said = train(records("long " * 400), "--family=Records", "--family.queries=2")
    assert "an answer leaves no room for a text" in said
    assert "'long long" in said
    assert "do:     leave it out" in said


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("lost card", "lost_card"), "two label names have the same tokens"),
        (("lost card", "very " * 80), "an answer leaves no room for a text"),
    ],
)
def test_class_names_of_a_side_that_one_episode_rarely_has(
    names: tuple[str, str], said: str, train: Callable[..., str]
) -> None:
    classes = [*(f"class {n}" for n in range(40)), *names]
    rows = [{"text": f"text {n} of {name}", "label": name} for name in classes for n in range(4)]
    split = {"train": classes[2:-4], "valid": classes[:2], "test": classes[-4:]}
    asked = ["--family=NWayKShot", "--family.way=2", "--family.shot=1", "--family.queries=1"]
    assert said in train(rows, *asked, f"--family.split.lists={json.dumps(split)}")

"""Adapters of fewer bytes, and how far their answers move."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asked import LABELS, NEW, TEXTS
from conftest import Cli

from fewshot.classify.compress import compressed
from fewshot.classify.examples import labelled
from fewshot.classify.learned import learned
from fewshot.classify.store import load_task, save_task
from fewshot.classify.task import adapted, answer
from fewshot.errors import InputError
from fewshot.models.adapter_files import Kept, lower_rank, read_adapter


@pytest.fixture
def stored(runs: Callable[..., str], tmp_path: Path) -> Path:
    """A task with an adapter of its own."""
    meta = learned(runs("MAMLAdam"))
    save_task(tmp_path / "task", adapted(meta, labelled(TEXTS, LABELS)), meta)
    return tmp_path / "task"


def probabilities(folder: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    read = load_task(folder)
    return answer(read.meta, read.task, NEW).probabilities


@pytest.mark.parametrize(("kept", "share", "close"), [("bfloat16", 0.55, 0.02), ("int8", 0.55, 0.02)])
def test_fewer_bits_answer_nearly_the_same(
    kept: Kept, share: float, close: float, stored: Path, tmp_path: Path
) -> None:
    before, after = compressed(stored, tmp_path / "small", None, kept)
    assert after < share * before
    assert np.abs(probabilities(tmp_path / "small") - probabilities(stored)).max() < close


def test_the_product_of_lower_rank_is_the_best_there_is(stored: Path) -> None:
    values = read_adapter(stored)
    small = lower_rank(values, 3)
    for name in (name for name in values if ".lora_A." in name):
        other = name.replace(".lora_A.", ".lora_B.")
        whole, part = values[other] @ values[name], small[other] @ small[name]
        sizes = torch.linalg.svdvals(whole.double())
        assert torch.linalg.matrix_rank(part) <= 3
        assert torch.dist(whole, part).item() == pytest.approx(sizes[3:].norm().item(), abs=1e-5)


@pytest.mark.parametrize("rank", [8, 3])
def test_a_task_and_its_run_take_another_rank(rank: int, stored: Path, tmp_path: Path) -> None:
    compressed(stored, tmp_path / "small", rank, "float32")
    found = probabilities(tmp_path / "small")
    assert np.abs(found - probabilities(stored)).max() < (1e-5 if rank == 8 else 0.1)
    about = json.loads((tmp_path / "small" / "task.json").read_text())
    assert about["model"]["init_args"]["lora"]["rank"] == rank


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers an old name
def test_a_smaller_run_is_a_run_and_peft_reads_it(
    runs: Callable[..., str], tiny_backbone: str, cli: Cli, tmp_path: Path
) -> None:
    import peft
    import transformers

    run, small = runs("ProtoNet"), tmp_path / "small"
    code, out, _ = cli("compress", run, "--rank", 4, "--dtype", "bfloat16", "--out", small)
    assert code == 0
    assert "bytes of adapter before" in out
    assert (small / "adapter" / "adapter_model.safetensors").stat().st_size * 3 < (
        Path(run) / "adapter" / "adapter_model.safetensors"
    ).stat().st_size
    ours = [adapted(learned(each), labelled(TEXTS, LABELS)) for each in (run, str(small))]
    found = [answer(learned(str(small)), task, NEW).probabilities for task in ours]
    assert np.abs(found[0] - found[1]).max() < 0.05
    model = peft.PeftModel.from_pretrained(
        transformers.AutoModel.from_pretrained(tiny_backbone), small / "adapter"
    )
    config: Any = model.peft_config["default"]
    assert (config.r, config.lora_alpha) == (4, 8)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rank", "9"], "from 1 to 8, the rank that is there"),
        (["--rank", "0"], "no such rank"),
    ],
)
def test_what_cannot_be_made(words: list[str], said: str, cli: Cli, stored: Path, tmp_path: Path) -> None:
    code, _, err = cli("compress", stored, *words, "--out", tmp_path / "small")
    assert code == 2
    assert said in err
    assert not (tmp_path / "small").exists()


def test_neither_a_run_nor_a_task(tmp_path: Path, stored: Path) -> None:
    with pytest.raises(InputError, match="neither a finished run nor an adapted task"):
        compressed(tmp_path, tmp_path / "small", None, "int8")
    (stored / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    with pytest.raises(InputError, match="not one of LoRA"):
        compressed(stored, tmp_path / "small", None, "int8")

"""What is shown of transformers' reports of a model that was loaded."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fewshot.algorithms.prototypes import ProtoNet
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.load_report import LOGGER
from fewshot.models.lora_settings import Lora

Maker = Callable[[int], LoraEncoder]


class Kept(logging.Handler):
    """Keeps messages, whether or not the logger hands them on to the root."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def told() -> Iterator[Kept]:
    """What transformers says of a load."""
    kept, logger = Kept(), logging.getLogger(LOGGER)
    logger.addHandler(kept)
    yield kept
    logger.removeHandler(kept)


@pytest.fixture
def encoder_of(causal_backbone: Callable[[str], str], tmp_path: Path) -> Maker:
    """Loads the folder of a language model of three layers, of which the configuration counts so many."""

    def made(layers: int) -> LoraEncoder:
        folder = tmp_path / str(layers)
        shutil.copytree(causal_backbone("llama"), folder)
        file = folder / "config.json"
        config = json.loads(file.read_text()) | {"num_hidden_layers": layers}
        file.write_text(json.dumps(config))
        compute = Compute(dtype="float32", products="blas")
        return LoraEncoder(str(folder), Lora(modules=("auto",)), compute=compute)

    return made


def test_an_encoder_of_a_language_model_says_nothing_of_its_head(encoder_of: Maker, told: Kept) -> None:
    filters = list(logging.getLogger(LOGGER).filters)
    ProtoNet().prepare(encoder_of(3))
    assert not told.messages
    assert logging.getLogger(LOGGER).filters == filters


@pytest.mark.parametrize(("layers", "said"), [(2, "UNEXPECTED"), (4, "MISSING")])
def test_layers_that_do_not_agree_are_told(encoder_of: Maker, told: Kept, layers: int, said: str) -> None:
    encoder_of(layers)
    (report,) = told.messages
    assert any(".mlp." in line and said in line for line in report.splitlines())

"""What is measured: settings, models, episodes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fewshot.data.split import ClassSplit
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.lora_settings import Lora
from fewshot.models.shapes import SHAPES
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.tasks.nway import NWayKShot

WAY, SHOT, QUERIES = 5, 1, 5
RATE, SCALE = 0.1, 10.0
MODULES = {"gpt2": ("c_attn",), "llama": ("q_proj", "v_proj"), "qwen2": ("q_proj", "v_proj")}


@dataclass(frozen=True)
class Setting:
    """Which layers are adapted, and the type of the frozen base."""

    name: str
    layers: str
    dtype: Literal["float32", "bfloat16"]


SETTINGS = (
    Setting("a", "all", "float32"),
    Setting("b", "last:2", "float32"),
    Setting("c", "last:2", "bfloat16"),
)

LARGE = Setting("large", "all", "bfloat16")


@dataclass(frozen=True)
class Case:
    """One outer step that is timed.

    Args:
        setting: adapted layers and type of the base.
        order: 1 or 2.
        model: a backbone by name.
        device: 'cpu' or 'cuda'.
        inner_steps: K.
        meta_batch: episodes.
        rank: of the adapter.
        max_length: tokens of a text.
        at_once: episodes that ours adapts together; 0 for all.
    """

    setting: Setting
    order: int = 1
    model: str = "minilm"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    inner_steps: int = 5
    meta_batch: int = 8
    rank: int = 8
    max_length: int = 128
    at_once: int = 0

    def learner(self) -> LoraEncoder:
        """Our model of this case, its adapter and head away from zero so that every gradient counts."""
        compute = Compute(device=self.device, dtype=self.setting.dtype, emulate=True)
        lora = Lora(rank=self.rank, alpha=16, modules=self.modules, layers=self.setting.layers)
        return LoraEncoder(
            backbone=self.model,
            lora=lora,
            head="per_class",
            head_ways=WAY,
            scale=SCALE,
            max_length=self.max_length,
            compute=compute,
        )

    @property
    def modules(self) -> tuple[str, ...]:
        """Query and value maps, by the names of the architecture."""
        shape = self.model.removeprefix("shape:")
        kind = SHAPES[shape][0] if shape in SHAPES else ""
        return MODULES.get(kind, ("query", "value"))


def task_family() -> TaskFamily:
    """BANKING77 where the folder FEWSHOT_DATA has it, else the attribute tasks."""
    home = os.environ.get("FEWSHOT_DATA", "")
    if os.path.isdir(os.path.join(home, "banking77")) and home:
        fold = ClassSplit(fold="01")
        return NWayKShot(source="banking77", way=WAY, shot=SHOT, queries=QUERIES, split=fold)
    return Attributes(way=WAY, shot=SHOT, queries=QUERIES)


def draw(family: TaskFamily, number: int, count: int) -> list[Episode]:
    """The episodes of round `number`."""
    return list(episodes(family, "train", 0, range(number * count, (number + 1) * count)))


def texts_of(drawn: Sequence[Episode]) -> list[str]:
    """Every text of the episodes once."""
    return list(dict.fromkeys(x.text for episode in drawn for x in (*episode.support, *episode.query)))

"""What a model card is written from: an adapter on disk, the data, and who trained it on what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # it is public

from fewshot.cards.licences import Stated
from fewshot.data.catalogue import entry_of
from fewshot.data.find import Reference
from fewshot.data.split import SIDES
from fewshot.errors import InputError
from fewshot.outer import Training
from fewshot.results import setting_of
from fewshot.run import Run
from fewshot.tasks.family import TaskFamily
from fewshot.untrusted.values import SMALL, read_json

ADAPTER_CONFIG = "adapter_config.json"  # PEFT's
BASE = "base_model_name_or_path"
CAUSAL = ("ForCausalLM", "LMHeadModel")  # how transformers' classes of language models end
NOT_STATED = "not stated"


def is_hub_id(name: str) -> bool:
    """Whether a repository of the hub can have this name."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def last_part(path: str) -> str:
    """A name without the folders that it lies in, which are those of one machine."""
    return PurePath(path).name or path


@dataclass(frozen=True)
class Adapter:
    """The folder `adapter/` of a run.

    Args:
        size: of its files, in bytes.
        config: PEFT's; None where a model keeps its weights in a form of its own.
    """

    size: int
    config: Mapping[str, Any] | None

    @classmethod
    def read(cls, folder: Path) -> "Adapter":
        """What lies in the folder."""
        file = folder / ADAPTER_CONFIG
        try:
            config = read_json(file, SMALL) if file.is_file() else None
        except (OSError, ValueError) as error:
            raise InputError("the adapter's configuration cannot be read", where=file, got=error) from error
        if not isinstance(config, dict | None) or not isinstance((config or {}).get(BASE), str | None):
            raise InputError(
                "the adapter's configuration is none of PEFT's", where=file, got=f"{BASE}: no text"
            )
        return cls(sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()), config)

    @property
    def lora(self) -> bool:
        """Whether it is one of LoRA."""
        return (self.config or {}).get("peft_type") == "LORA"

    @property
    def base(self) -> str | None:
        """The backbone, as PEFT's configuration names it: a hub id or a folder."""
        return (self.config or {}).get(BASE)

    @property
    def hub_base(self) -> str | None:
        """The backbone's id on the hub; None where it is a folder."""
        return self.base if self.base and is_hub_id(self.base) and not Path(self.base).is_dir() else None

    @property
    def backbone(self) -> str | None:
        """The backbone, without the folders that it lies in."""
        return self.hub_base or (last_part(self.base) if self.base else None)

    @property
    def loader(self) -> str:
        """The class of transformers that loads the backbone."""
        made = ((self.config or {}).get("auto_mapping") or {}).get("base_model_class") or ""
        return "AutoModelForCausalLM" if made.endswith(CAUSAL) else "AutoModel"


@dataclass(frozen=True)
class Source:
    """An entry of `data.json`.

    Args:
        entry: as it stands there.
        licence: what the data says of it.
    """

    entry: Mapping[str, Any]
    licence: Stated | None

    @property
    def hub(self) -> str | None:
        """Its id on the hub; None where it was read from elsewhere."""
        if not self.entry["revision"]:
            return None
        entry = entry_of(self.entry["source"])
        return Reference.parse(entry.hub if entry else self.entry["source"]).id

    @property
    def name(self) -> str:
        """Without the folders that it lies in."""
        return self.hub or last_part(self.entry["source"])

    def row(self, of_tasks: bool) -> list[str]:
        """Of the table of data: name, what pins it, the sizes of the three sides, licence.

        Args:
            of_tasks: the data has no classes; each of its sets is a task.
        """
        revision, digest = self.entry["revision"], self.entry["sha256"]
        pin = f"revision {revision}" if revision else f"sha256 {digest}" if digest else "no checksum"
        sizes = (_size(self.entry["pools"].get(side), of_tasks) for side in SIDES)
        return [self.name, pin, *sizes, self.licence.text if self.licence else NOT_STATED]


def _size(pools: Mapping[str, Mapping[str, int]] | None, of_tasks: bool) -> str:
    """How much of a source stands on one side."""
    if not pools:
        return "none"
    classes, examples = (sum(pool[name] for pool in pools.values()) for name in ("classes", "examples"))
    if of_tasks:
        return f"{examples:,} examples, {len(pools):,} {'task' if len(pools) == 1 else 'tasks'}"
    sets = f" in {len(pools):,} sets" if len(pools) > 1 else ""
    return f"{examples:,} examples, {classes:,} classes{sets}"


@dataclass(frozen=True)
class Facts:
    """All of it.

    Args:
        name: of the run.
        run: with its test results.
        family: what it was trained and tested on.
        training: the outer loop.
        adapter: what it wrote.
        beside: of `meta.safetensors`, in bytes.
        sources: the data.
        data: the content of `data.json`.
        backbone_licence: what the backbone's card says.
        again: whether the run says how its parts are built, so that the commands can take it.
    """

    name: str
    run: Run
    family: TaskFamily
    training: Training
    adapter: Adapter
    beside: int
    sources: Sequence[Source]
    data: Mapping[str, Any]
    backbone_licence: Stated | None
    again: bool

    @property
    def summary(self) -> Mapping[str, Any]:
        """The content of `summary.json`."""
        return self.run.summary

    @property
    def writes(self) -> bool:
        """Whether its answers are texts."""
        return "generation" in self.summary

    @property
    def trained(self) -> bool:
        """Whether outer steps were taken."""
        return self.run.algorithm.trainable and self.training.steps > 0

    @property
    def licences(self) -> list[Stated | None]:
        """Of everything that the weights were made from."""
        backbone = [self.backbone_licence] if self.adapter.base else []
        return [*backbone, *(source.licence for source in self.sources)]

    @property
    def setting(self) -> str:
        """The size of a test task: '5-way 5-shot'."""
        return setting_of(self.summary)

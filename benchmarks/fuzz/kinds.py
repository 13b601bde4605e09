"""What is fuzzed: for each kind of file a valid one, how it is spoilt, and who reads it."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import yaml
from hypothesis import strategies as st
from jsonargparse import ArgumentParser

from benchmarks.fuzz.strategies import spoilt_bytes, spoilt_json, spoilt_lines, spoilt_yaml
from benchmarks.fuzz.tensors import spoilt_tensors
from fewshot.cards.facts import Adapter
from fewshot.cards.licences import stated_by_source
from fewshot.classify.reading import read_texts
from fewshot.classify.store import read_about, read_support
from fewshot.config import add_parts, parse, read_config, values
from fewshot.data.limits import check_folder
from fewshot.data.pool import Pool
from fewshot.data.rows import read_rows
from fewshot.data.split import ClassSplit, split_classes
from fewshot.models.adapter_files import read_adapter
from fewshot.models.backbone_folder import check_folder as check_backbone
from fewshot.releases.reading import Reader
from fewshot.releases.tree import open_tree
from fewshot.report.parsing import read_json, read_lines
from fewshot.run import RunFolder
from fewshot.tasks.family import episodes
from fewshot.tasks.manifest import Manifest, Replayed, manifest
from fewshot.tasks.nway import NWayKShot
from fewshot.untrusted.code import check_code
from fewshot.untrusted.tensors import Wanted, read_tensors

ROWS = [{"text": f"text {n} of {label}", "label": label} for label in "abcdef" for n in range(4)]
CLASSES = [*"abcdef"]
SPLITS = {"kind": "class", "folds": {"01": {"train": ["a", "b"], "valid": ["c", "d"], "test": ["e", "f"]}}}
PAIR = {"x.lora_A.weight": torch.ones(2, 5), "x.lora_B.weight": torch.ones(3, 2)}
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "base_model_name_or_path": "owner/base"}
BACKBONE = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2, "vocab_size": 10}
CARD = {
    "license": "mit",
    "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "a.csv"}]}],
}


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        valid: files as they should be.
        made: gives others, spoilt within their structure.
        read: reads one, in a folder of its own; raises nothing but a FewshotError.
        share: of all inputs, beside the others' shares; slow readers get less.
    """

    valid: Sequence[bytes]
    made: st.SearchStrategy[bytes]
    read: Callable[[Path, bytes], None]
    share: float = 1.0

    @property
    def spoilt(self) -> st.SearchStrategy[bytes]:
        """Files spoilt in one way or the other."""
        return self.made | st.one_of([spoilt_bytes(each) for each in self.valid])


def written(folder: Path, name: str, content: bytes) -> Path:
    """Writes a file."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


@cache
def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="fewshot", exit_on_error=False)
    add_parts(parser)
    return parser


@cache
def _config() -> dict[str, Any]:
    return values(_parser(), _parser().get_defaults())


def _config_is_read(folder: Path, content: bytes) -> None:
    file = written(folder, "config.yaml", content)
    check_code(read_config(file), file)


def _config_is_parsed(folder: Path, content: bytes) -> None:
    parse(_parser(), ["--config", str(written(folder, "config.yaml", content))])


def _splits(folder: Path, content: bytes) -> None:
    written(folder, "splits.json", content)
    split_classes(ClassSplit(), CLASSES, folder, "set")


@cache
def _family() -> NWayKShot:
    return NWayKShot(Pool.load(ROWS), 2, 1, 1, split=ClassSplit(lists={"test": CLASSES}))


@cache
def _manifest() -> Any:
    return manifest(_family(), "test", 0, list(episodes(_family(), "test", 0, range(3))))


def _manifest_is_replayed(folder: Path, content: bytes) -> None:
    read = Manifest.read(written(folder, "manifest.json", content))
    family = Replayed(_family(), read).split("test")
    for number in range(min(len(read.entries), 3)):
        next(episodes(family, "test", read.seed, [number], 1))


def _rows(folder: Path, content: bytes) -> None:
    read_rows(str(written(folder, "data.jsonl", content)))


def _texts(folder: Path, content: bytes) -> None:
    file = written(folder, "texts.jsonl", content)
    wrong: list[Any] = []
    for kind in ("auto", "jsonl", "text"):
        list(read_texts(str(file), kind, "text", wrong.append))
    written(folder, "support.jsonl", content)
    read_support(folder)


def _adapter_config(folder: Path, content: bytes) -> None:
    written(folder, "adapter_config.json", content)
    written(folder, "adapter_model.safetensors", safetensors.torch.save(PAIR))
    found = Adapter.read(folder)
    _ = found.lora, found.hub_base, found.backbone, found.loader
    read_adapter(folder)


def _adapter(folder: Path, content: bytes) -> None:
    written(folder, "adapter_config.json", json.dumps(CONFIG).encode())
    file = written(folder, "adapter_model.safetensors", content)
    wanted = {name: Wanted(tuple(value.shape)) for name, value in PAIR.items()}
    for read in (lambda: read_adapter(folder), lambda: read_tensors(file, wanted)):
        _tried(read)
    read_adapter(folder, {name: tuple(value.shape) for name, value in PAIR.items()})


def _tried(read: Callable[[], object]) -> None:
    """One reader after another sees the same file."""
    from fewshot.errors import FewshotError

    try:
        read()
    except FewshotError:
        return


@cache
def _task() -> dict[str, Any]:
    about = {"schema": 1, "classes": ["a", "b"], "shots": {"a": 1, "b": 1}, "run": "x", "backbone": "minilm"}
    return about | {name: _config()[name] for name in ("model", "algorithm")} | {"seconds": 1.0}


def _task_is_read(folder: Path, content: bytes) -> None:
    written(folder, "task.json", content)
    read_about(folder)


def _card(folder: Path, content: bytes) -> None:
    written(folder, "a.csv", b"text,label\na,b\n")
    written(folder, "README.md", b"---\n" + content + b"\n---\ntext\n")
    stated_by_source(str(folder))
    check_folder(folder, [folder / "a.csv"])


def _backbone(folder: Path, content: bytes) -> None:
    written(folder, "config.json", content)
    written(folder, "model.safetensors", safetensors.torch.save({"a": torch.ones(2), "b": torch.ones(2)}))
    check_backbone(folder)


def _weight_list(folder: Path, content: bytes) -> None:
    written(folder, "config.json", json.dumps(BACKBONE).encode())
    written(folder, "a.safetensors", safetensors.torch.save({"a": torch.ones(2), "b": torch.ones(2)}))
    written(folder, "model.safetensors.index.json", content)
    check_backbone(folder)


def _archive(folder: Path, content: bytes) -> None:
    with open_tree(str(written(folder, "release", content))) as tree:
        for name in tree.names[:5]:
            _tried(lambda name=name: list(Reader(tree).objects(name, "an object")))  # type: ignore[misc]


def _run_files(folder: Path, content: bytes) -> None:
    written(folder, "run.json", content)
    for read in (lambda: read_json(folder / "run.json"), lambda: read_lines(folder / "run.json", True)):
        _tried(read)
    RunFolder(folder).check_is_run()


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
        archive.writestr("c.txt", "x")
    return content.getvalue()


def _tar(packing: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=f"w:{packing}") as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo("a/b.jsonl")
        text = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    return content.getvalue()


def _json(value: Any, read: Callable[[Path, bytes], None], share: float = 1.0) -> Kind:
    return Kind([json.dumps(value).encode()], spoilt_json(value), read, share)


def _yaml(value: Any, read: Callable[[Path, bytes], None], share: float = 1.0) -> Kind:
    return Kind([yaml.safe_dump(value).encode()], spoilt_yaml(value), read, share)


def kinds() -> dict[str, Kind]:
    """By name; the valid files are made here, since some take their time."""
    lines = ["".join(json.dumps(row) + "\n" for row in ROWS).encode()]
    tensors = safetensors.torch.save(PAIR)
    archives = [_zip(), *(_tar(packing) for packing in ("", "gz", "bz2", "xz"))]
    return {
        "config": _yaml(_config(), _config_is_read),
        "options": _yaml(_config(), _config_is_parsed, 0.3),
        "splits": _json(SPLITS, _splits, 1.5),
        "manifest": _json(_manifest(), _manifest_is_replayed, 1.5),
        "rows": Kind(lines, spoilt_lines(ROWS), _rows, 0.3),
        "texts": Kind(lines, spoilt_lines(ROWS), _texts, 1.5),
        "adapter": Kind([tensors], spoilt_tensors(tensors), _adapter, 2),
        "adapter_config": _json(CONFIG, _adapter_config),
        "task": _json(_task(), _task_is_read),
        "card": _yaml(CARD, _card),
        "backbone": _json(BACKBONE, _backbone),
        "weight_list": _json({"weight_map": {"a": "a.safetensors", "b": "a.safetensors"}}, _weight_list),
        "archive": Kind(archives, st.sampled_from(archives), _archive),
        "run": _json({"schema": 1, "step": 1}, _run_files),
    }

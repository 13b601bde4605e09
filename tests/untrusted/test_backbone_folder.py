"""A backbone is plain weights: no pickle is read, no code is run, nothing that is only claimed is built."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import Cli

from fewshot.errors import InputError
from fewshot.models import backbone as loading
from fewshot.models.backbone import MINILM_SHA256, find_backbone, load_backbone

pytestmark = pytest.mark.bad_input


@pytest.fixture
def folder(tiny_backbone: str, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(tiny_backbone, tmp_path / "backbone"))


def changed(file: Path, **values: Any) -> None:
    content = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(content | values))


def said(folder: Path) -> list[str]:
    """The lines of the message."""
    with pytest.raises(InputError) as raised:
        load_backbone(str(folder), torch.float32)
    return [line.strip() for line in str(raised.value).replace(str(folder), "IN").split("\n")]


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.path), "w")


def hostile(file: Path, written: Path) -> None:
    """Weights as torch saves them, a zip archive with a pickle, that write a file when they are read."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Hostile(written), protocol=2))
        archive.writestr("archive/version", "3\n")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.ckpt"])
def test_weights_that_are_a_pickle(name: str, folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    hostile(folder / name, tmp_path / "written")
    assert said(folder) == [
        "the weights are a pickle, which runs code when it is read",
        "where:  IN",
        f"got:    {name}",
        "needed: model.safetensors, or model.safetensors.index.json with the files that it lists",
        "do:     save it as safetensors where you trust it: transformers' AutoModel.from_pretrained(FOLDER)"
        ".save_pretrained(OTHER), and its tokenizer beside it",
    ]
    assert not (tmp_path / "written").exists()


def test_that_pickle_would_have_written(tmp_path: Path) -> None:
    hostile(tmp_path / "a.bin", tmp_path / "written")
    with zipfile.ZipFile(tmp_path / "a.bin") as archive:
        pickle.loads(archive.read("archive/data.pkl")).close()
    assert (tmp_path / "written").exists()


def test_a_pickle_beside_safetensors_is_not_read(folder: Path, tmp_path: Path) -> None:
    hostile(folder / "pytorch_model.bin", tmp_path / "written")
    load_backbone(str(folder), torch.float32)
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_a_folder_is_not_run(file: str, folder: Path, tmp_path: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'written')!r}, 'w')\nclass Evil: pass\n")
    changed(folder / file, auto_map={"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"})
    load_backbone(str(folder), torch.float32)  # transformers has BERT itself
    assert not (tmp_path / "written").exists()
    changed(folder / "config.json", model_type="strange")
    assert said(folder) == [
        "the backbone is code of its own, which is not run",
        f"where:  IN/{file}",
        "got:    auto_map: evil.Evil, evil.Evil",
        "needed: a model that transformers has itself; trust_remote_code is off",
        "do:     take a backbone without auto_map",
    ]
    assert not (tmp_path / "written").exists()


def test_trust_is_off_where_transformers_is_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a model of the hub, whose files come after the folder could be looked at."""
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'written')!r}, 'w')\nclass Evil: pass\n")
    changed(
        folder / "config.json",
        auto_map={"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"},
        model_type="strange",
    )
    monkeypatch.setattr(loading, "check_folder", lambda folder, known: None)
    lines = said(folder)
    assert lines[0].endswith("could not be loaded")
    assert "trust_remote_code" in lines[2] or "custom code" in lines[2]
    assert not (tmp_path / "written").exists()


def test_only_safetensors_where_transformers_is_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "model.safetensors").unlink()
    hostile(folder / "pytorch_model.bin", tmp_path / "written")
    monkeypatch.setattr(loading, "check_folder", lambda folder, known: None)
    assert said(folder)[0].endswith("could not be loaded")
    assert not (tmp_path / "written").exists()


def test_an_adapter_in_the_place_of_a_model(folder: Path) -> None:
    changed(folder / "adapter_config.json", base_model_name_or_path="/elsewhere", peft_type="LORA")
    assert said(folder)[:2] == [
        "the folder holds an adapter, which names another model",
        "where:  IN/adapter_config.json",
    ]


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert said(folder)[:2] == ["the folder has no weights", "where:  IN"]


@pytest.mark.parametrize(
    "name",
    [
        "../outside.safetensors",
        "/etc/passwd",
        "a/b.safetensors",
        "pytorch_model.bin",
        "a\\b.safetensors",
        "a\0.safetensors",
    ],
)
def test_a_list_of_weights_that_lie_elsewhere(name: str, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    weights = {"a": "part.safetensors", "b": name}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    lines = said(folder)
    assert lines[0] in (
        "a file of weights is no safetensors file beside its list",
        "a file is named that lies elsewhere",
    )
    assert lines[1] == "where:  IN/model.safetensors.index.json"
    assert lines[2] == f"got:    {name!r}"


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 1}}']
)
def test_a_list_of_weights_that_is_none(content: str, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(content)
    assert said(folder)[0] == "the list of weights cannot be read"


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [
        ("num_hidden_layers", 10**6, "at most 55, one tensor a layer"),
        ("hidden_size", 10**12, "at most 16777216"),
        ("vocab_size", 10**9, "at most 16777216"),
        ("max_position_embeddings", 10**12, "at most 16777216"),
    ],
)
def test_sizes_that_are_only_claimed(name: str, value: int, most: str, folder: Path) -> None:
    changed(folder / "config.json", **{name: value})
    assert said(folder) == [
        "the configuration of the backbone claims more than its weights have",
        "where:  IN/config.json",
        f"got:    {name}: {value}",
        f"needed: {most}",
    ]


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"[" * 100_000, "values nested deeper than 64"),
        (b'{"hidden_size": ' + b"9" * 5000 + b"}", "a number of more than 64 bits"),
        (b'{"hidden_size": 1, "hidden_size": 2}', "the key 'hidden_size' stands twice in one object"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"{" + b" " * (5 << 20), "a file of more than 4,194,304 bytes"),
    ],
    ids=["deep", "digits", "twice", "bytes", "large"],
)
def test_a_configuration_that_is_none(content: bytes, got: str, folder: Path) -> None:
    (folder / "config.json").write_bytes(content)
    assert said(folder) == [
        "a file of the backbone cannot be read",
        "where:  IN/config.json",
        f"got:    {got}",
    ]


def test_weights_of_other_shapes(folder: Path) -> None:
    changed(folder / "config.json", hidden_size=64)
    assert said(folder)[0].endswith("could not be loaded")


def test_weights_that_were_cut_off(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    assert said(folder) == [
        "the weights of the backbone cannot be read",
        "where:  IN/model.safetensors",
        "got:    incomplete metadata, file not fully covered",
        "needed: a whole safetensors file",
    ]


def test_the_default_backbone_is_the_published_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Path(find_backbone("minilm"))
    copy = Path(shutil.copytree(there, tmp_path / "model"))
    monkeypatch.setattr(loading, "find_backbone", lambda name: str(copy))
    load_backbone("minilm", torch.float32)  # the very bytes
    file = copy / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # a single bit
    file.write_bytes(content)
    with pytest.raises(InputError) as raised:
        load_backbone("minilm", torch.float32)
    lines = str(raised.value).split("\n")
    assert lines[0] == "the default backbone is not the published one"
    assert lines[3] == f"  needed: weights of sha256 {MINILM_SHA256}"
    assert "--force-reinstall" in lines[4]


def test_a_hostile_backbone_by_the_command_line(cli: Cli, folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    hostile(folder / "pytorch_model.bin", tmp_path / "written")
    code, out, err = cli("train", "--model.backbone", folder, "--out", tmp_path / "run")
    assert (code, out, err.split("\n")[0]) == (
        2,
        "",
        "error: the weights are a pickle, which runs code when it is read",
    )
    assert not (tmp_path / "written").exists()
    assert not (tmp_path / "run").exists()


def test_what_a_header_claims_is_counted_over_all_files(folder: Path) -> None:
    """A model in two files loads."""
    values = safetensors.torch.load_file(folder / "model.safetensors")
    names = sorted(values)
    parts = {"a.safetensors": names[:20], "b.safetensors": names[20:]}
    for file, own in parts.items():
        safetensors.torch.save_file({n: values[n] for n in own}, folder / file, {"format": "pt"})
    weights = {name: file for file, own in parts.items() for name in own}
    index = {"metadata": {"total_size": 1}, "weight_map": weights}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()
    model, _ = load_backbone(str(folder), torch.float32)
    assert torch.equal(dict(model.named_parameters())[names[0]], values[names[0]])

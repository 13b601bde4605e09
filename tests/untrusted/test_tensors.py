"""Headers of safetensors files are believed only where they fit, and before memory is taken."""

import json
import os
import struct
import tracemalloc
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import LearnerMaker
from torch import Tensor

from fewshot.errors import InputError
from fewshot.models.adapter_files import read_adapter, read_config, write_adapter
from fewshot.models.lora_settings import Lora
from fewshot.models.lstm import LstmEncoder
from fewshot.untrusted.tensors import LONGEST_HEADER, Wanted, read_tensors

GIB = 1 << 30
WANTED = {"a": Wanted((2, 3)), "b": Wanted((4,))}
GOOD = {"a": torch.ones(2, 3), "b": torch.zeros(4)}


def raw(header: object, content: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def entry(dtype: str, shape: list[int], size: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}


def refused(call: Callable[[], object]) -> dict[str, str]:
    """The parts of the message, the first line under ''; it is come to with little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as raised:
            call()
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    what, *lines = str(raised.value).split("\n")
    return {"": what} | {
        name.strip(): text.strip() for name, _, text in (line.partition(":") for line in lines)
    }


HEADERS: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "a header of 0 bytes in a file of 0"),
    ("a few bytes", b"abc", "a header of 0 bytes in a file of 3"),
    ("no header", struct.pack("<Q", 0), "a header of 0 bytes in a file of 8"),
    ("a header beyond the end", struct.pack("<Q", 100) + b"{}", "a header of 100 bytes in a file of 10"),
    (
        "a header of 16 exabytes",
        raw(b"{}", length=2**64 - 1),
        f"a header of {2**64 - 1:,} bytes in a file of 10",
    ),
    ("a pickle", b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00.", "a header of 9,766,016 bytes in a file of 11"),
    ("no JSON", raw(b"{]"), "invalid JSON in header: key must be a string at line 1 column 2"),
    (
        "a list",
        raw([1]),
        "invalid JSON in header: invalid type: sequence, expected struct HashMetadata at line 1 column 0",
    ),
    (
        "a shape that is not there",
        raw({"a": entry("F32", [2**40], 2**42)}),
        "incomplete metadata, file not fully covered",
    ),
    (
        "a shape of another size",
        raw({"a": entry("F32", [3, 3], 24)}, b"\0" * 24),
        "invalid shape, data type, or offset for tensor",
    ),
    (
        "a size beyond 64 bits",
        raw({"a": entry("F32", [2**40, 2**40], 8)}, b"\0" * 8),
        "overflow computing buffer size from shape and/or element type",
    ),
    (
        "a negative shape",
        raw({"a": entry("F32", [-2, -3], 24)}, b"\0" * 24),
        "invalid JSON in header: invalid value: integer `-2`, expected usize",
    ),
    (
        "an unknown type",
        raw({"a": entry("F7", [2, 3], 24)}, b"\0" * 24),
        "invalid JSON in header: unknown variant `F7`",
    ),
    (
        "bytes that no tensor has",
        raw({"a": entry("F32", [2, 3], 24)}, b"\0" * 99),
        "incomplete metadata, file not fully covered",
    ),
    (
        "a file that was cut off",
        raw({"a": entry("F32", [2, 3], 24)}, b"\0" * 23),
        "incomplete metadata, file not fully covered",
    ),
    (
        "offsets that overlap",
        raw({"a": entry("F32", [2, 3], 24), "b": entry("F32", [4], 16)}, b"\0" * 24),
        "invalid offset for tensor",
    ),
    (
        "deep JSON",
        raw(b'{"a":' + b"[" * 200_000),
        "invalid JSON in header: recursion limit exceeded at line 1 column 132",
    ),
]


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("content", "got"), [each[1:] for each in HEADERS], ids=[each[0] for each in HEADERS]
)
def test_a_file_that_is_no_safetensors(content: bytes, got: str, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(content)
    found = refused(lambda: read_tensors(file, WANTED))
    assert (found[""], found["where"]) == ("a file of tensors cannot be read", str(file))
    assert found["got"].startswith(got)


@pytest.mark.bad_input
def test_a_header_of_gigabytes(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    with file.open("wb") as content:
        content.write(struct.pack("<Q", 4 * GIB))
        content.truncate(5 * GIB)  # takes no room on the disk
    found = refused(lambda: read_tensors(file, WANTED))
    assert found["got"] == f"a header of {4 * GIB:,} bytes in a file of {5 * GIB:,}"
    assert f"at most {LONGEST_HEADER:,} bytes" in found["needed"]


@pytest.mark.bad_input
def test_a_folder_and_a_pipe_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none"):
        assert refused(partial(read_tensors, path))["got"] == "no such file"


OTHERS: list[tuple[str, Mapping[str, Any], dict[str, str]]] = [
    ("another shape", {"a": (torch.ones, (3, 2))}, {"tensor": "a", "got": "F32 of shape (3, 2)"}),
    ("another rank", {"a": (torch.ones, (1, 2, 3))}, {"tensor": "a", "got": "F32 of shape (1, 2, 3)"}),
    ("no dimension", {"a": (torch.ones, ())}, {"tensor": "a", "got": "F32 of shape ()"}),
    ("an empty one", {"a": (torch.ones, (0, 3))}, {"tensor": "a", "got": "F32 of shape (0, 3)"}),
    ("a missing one", {"a": None}, {"tensor": "a", "got": "no such tensor"}),
    ("one too many", {"c": (torch.ones, (1,))}, {"tensor": "c", "got": "F32 of shape (1,)"}),
    ("two that differ", {"a": None, "b": None}, {"tensor": "a", "got": "no such tensor; 1 more differ"}),
]


@pytest.mark.bad_input
@pytest.mark.parametrize(("changed", "said"), [each[1:] for each in OTHERS], ids=[each[0] for each in OTHERS])
def test_tensors_of_another_model(changed: Mapping[str, Any], said: dict[str, str], tmp_path: Path) -> None:
    made = {name: how[0](how[1]) if how else None for name, how in changed.items()}
    values = {name: value for name, value in (GOOD | made).items() if value is not None}
    file = tmp_path / "a.safetensors"
    safetensors.torch.save_file(values, file)
    found = refused(lambda: read_tensors(file, WANTED, fix="this"))
    assert found[""] == "the tensors are others than those that are needed"
    assert found["where"] == f"{file}, tensor {said['tensor']}"
    assert (found["got"], found["do"]) == (said["got"], "this")
    wanted = WANTED.get(said["tensor"])
    assert found["needed"] == (str(wanted) if wanted else "no such tensor, but 2 others")


@pytest.mark.bad_input
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8, torch.complex64])
def test_numbers_of_another_kind(dtype: torch.dtype, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    safetensors.torch.save_file(GOOD | {"b": torch.zeros(4, dtype=dtype)}, file)
    found = refused(lambda: read_tensors(file, WANTED))
    assert found["where"].endswith("tensor b")
    assert found["needed"] == "floats of shape (4,)"


def test_a_huge_tensor_is_not_read(tmp_path: Path) -> None:
    """The file has all the bytes that it claims, so the library alone would take 4 GiB for them."""
    file = tmp_path / "a.safetensors"
    header = raw(
        {
            "a": entry("F32", [GIB], 4 * GIB),
            "b": entry("F32", [4], 16) | {"data_offsets": [4 * GIB, 4 * GIB + 16]},
        }
    )
    with file.open("wb") as content:
        content.write(header)
        content.truncate(len(header) + 4 * GIB + 16)
    before = resident()
    found = refused(lambda: read_tensors(file, WANTED))
    assert (found["got"], found["needed"]) == (f"F32 of shape ({GIB},)", "floats of shape (2, 3)")
    assert resident() - before < 64 << 20


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_fits_is_read_and_is_no_view_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    safetensors.torch.save_file(GOOD, file)
    found = read_tensors(file, WANTED | {"c": Wanted((1,))}, optional=["c"])
    file.write_bytes(b"\xff" * file.stat().st_size)
    assert all(torch.equal(found[name], value) for name, value in GOOD.items())
    assert set(found) == set(GOOD)


# Adapters

CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "base_model_name_or_path": None}
PAIR = {"x.lora_A.weight": torch.ones(2, 5), "x.lora_B.weight": torch.ones(7, 2)}


def adapter(folder: Path, config: Mapping[str, Any], values: Mapping[str, Tensor] = PAIR) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    write_adapter(folder, values, "float32")
    return folder


NO_RANKS = [10**9, 0, -1, 2.0, True, "2", None, [2]]


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["r", "lora_alpha"])
@pytest.mark.parametrize("value", NO_RANKS, ids=repr)
def test_a_rank_that_is_none(name: str, value: object, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "adapter", CONFIG | {name: value})
    found = refused(lambda: read_config(folder))
    assert found == {
        "": f"the adapter's {name} is none",
        "where": str(folder / "adapter_config.json"),
        "got": repr(value),
        "needed": "a whole number from 1 to 65,536",
    }


CONFIGS: list[tuple[str, bytes, str]] = [
    ("cut off", b'{"peft_type": "LORA"', "Expecting ',' delimiter: line 1 column 21 (char 20)"),
    ("deep", b"[" * 100_000, "values nested deeper than 64"),
    ("NaN", b'{"peft_type": "LORA", "r": NaN}', "a number that is not finite"),
    ("a huge number", b'{"r": ' + b"9" * 5000 + b"}", "a number of more than 64 bits"),
    ("a key twice", b'{"r": 1, "r": 2}', "the key 'r' stands twice in one object"),
    ("no UTF-8", b'{"r": "\xff"}', "'utf-8' codec can't decode byte 0xff in position 7: invalid start byte"),
    ("a list", b"[]", "list indices must be integers or slices, not str"),
]


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("content", "got"), [each[1:] for each in CONFIGS], ids=[each[0] for each in CONFIGS]
)
def test_a_configuration_that_is_none(content: bytes, got: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_bytes(content)
    found = refused(lambda: read_config(tmp_path))
    assert (found[""], found["where"]) == ("there is no adapter", str(tmp_path))
    assert found["got"] == f"no readable adapter_config.json: {got}"


@pytest.mark.bad_input
def test_an_adapter_of_another_method(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "adapter", CONFIG | {"peft_type": "IA3"})
    found = refused(lambda: read_config(folder))
    assert (found[""], found["got"], found["needed"]) == ("this adapter is not one of LoRA", "'IA3'", "LORA")


ODD: list[tuple[str, dict[str, Tensor], str, str]] = [
    (
        "half of a pair",
        {"x.lora_A.weight": torch.ones(2, 5)},
        "x.lora_A.weight",
        "F32 of shape (2, 5), without its other half",
    ),
    ("another rank", {**PAIR, "x.lora_B.weight": torch.ones(7, 3)}, "x.lora_B.weight", "F32 of shape (7, 3)"),
    (
        "three dimensions",
        {**PAIR, "x.lora_A.weight": torch.ones(2, 5, 1)},
        "x.lora_A.weight",
        "F32 of shape (2, 5, 1)",
    ),
    ("no matrix of LoRA", {"y": torch.ones(2, 2)}, "y", "F32 of shape (2, 2)"),
]


@pytest.mark.bad_input
@pytest.mark.parametrize(("values", "name", "got"), [each[1:] for each in ODD], ids=[each[0] for each in ODD])
def test_an_adapter_that_is_compressed(
    values: dict[str, Tensor], name: str, got: str, tmp_path: Path
) -> None:
    folder = adapter(tmp_path / "adapter", CONFIG, values)
    found = refused(lambda: read_adapter(folder))
    assert found[""] == "this is no matrix of LoRA, or one of another rank than its configuration has"
    assert found["where"].endswith(f"tensor {name}")
    assert (found["got"], found["needed"]) == (
        got,
        "A of shape (2, in) and B of shape (out, 2) of each layer",
    )


@pytest.mark.bad_input
def test_an_adapter_of_other_layers(make_learner: LearnerMaker, tmp_path: Path) -> None:
    make_learner(lora=Lora(layers="last:1")).save_adapter(tmp_path / "adapter")
    learner = make_learner()
    found = refused(lambda: learner.load_adapter(tmp_path / "adapter"))
    assert found[""] == "the saved adapter is another than model.lora asks for"
    assert found["where"].endswith("encoder.layer.1.attention.self.query.lora_A.weight")
    assert found["got"] == "no such tensor; 9 more differ"
    assert found["needed"] == "floats of shape (8, 32)"


@pytest.mark.bad_input
@pytest.mark.parametrize("rank", [10**9, 3])
def test_an_adapter_whose_configuration_claims_another_rank(
    rank: int, make_learner: LearnerMaker, tmp_path: Path
) -> None:
    learner = make_learner()
    learner.save_adapter(tmp_path)
    file = tmp_path / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"r": rank}))
    found = refused(lambda: learner.load_adapter(tmp_path))
    known = rank < 10**9
    assert found[""] == (
        "the saved adapter has another rank than model.lora asks for" if known else "the adapter's r is none"
    )
    assert (found["got"], found["needed"]) == (str(rank), "8" if known else "a whole number from 1 to 65,536")


@pytest.mark.bad_input
def test_a_rank_beyond_the_width(make_learner: LearnerMaker) -> None:
    found = refused(lambda: make_learner(lora=Lora(rank=10**9)))
    assert found[""] == "model.lora.rank is too large"
    assert (found["got"], found["needed"]) == (
        "1000000000",
        "at most 64, the width of the widest adapted layer",
    )


@pytest.mark.bad_input
@pytest.mark.parametrize("layers", ["last:1000000000000", "first:1000000000000"])
def test_more_layers_than_there_are(layers: str, make_learner: LearnerMaker) -> None:
    assert refused(lambda: make_learner(lora=Lora(layers=layers)))[""] == "these layers cannot be adapted"


@pytest.mark.bad_input
@pytest.mark.parametrize("sizes", [{"rows": 10**12}, {"hidden": 10**7}, {"head_ways": 10**9}])
def test_an_lstm_that_no_memory_holds(sizes: dict[str, int]) -> None:
    found = refused(lambda: LstmEncoder(**sizes))  # type: ignore[arg-type]
    assert (found[""], found["needed"]) == ("the model is too large", f"at most {GIB:,}")

"""States of a training: gathered, written under a name with their checksum, the latest whole one read."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from fewshot.errors import InputError
from fewshot.saved import State, States, _read

TENSORS = {"weight": torch.arange(6.0).view(2, 3)}


class Part:
    """A part of a training that remembers what it was given."""

    def __init__(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        self.own = (tensors, facts)
        self.got: tuple[dict[str, Tensor], dict[str, Any]] | None = None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self.own

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        self.got = (dict(tensors), dict(facts))


def heard(folder: Path) -> tuple[State | None, list[str]]:
    """The latest state, and what was said on the way."""
    said: list[str] = []
    return States(folder, 2).latest(said.append), said


def placed(folder: Path, step: str, content: bytes) -> Path:
    """A file under a name of the right form, with the right checksum."""
    path = folder / f"step-{step}.{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    path.write_bytes(content)
    return path


def test_the_parts_are_gathered_under_their_names() -> None:
    one, two = Part({"x": torch.ones(2)}, {"at": 3}), Part({"x": torch.zeros(1), "y": torch.ones(1)}, {})
    state = State.of(7, {"one": one, "two": two}, {"seed": 5})
    assert state.step == 7
    assert list(state.tensors) == ["one/x", "two/x", "two/y"]
    assert state.facts == {"seed": 5, "parts": {"one": {"at": 3}, "two": {}}}


def test_what_is_gathered_does_not_change_with_the_training() -> None:
    value = torch.nn.Parameter(torch.arange(6.0).view(2, 3))
    (kept,) = State.of(1, {"model": Part({"w": value.T}, {})}, {}).tensors.values()
    with torch.no_grad():
        value.zero_()
    assert kept.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert kept.is_contiguous()
    assert not kept.requires_grad


def test_every_part_gets_its_own_back() -> None:
    parts = {"a": Part({"x": torch.ones(1)}, {"n": 1}), "a2": Part({"a/x": torch.zeros(2)}, {"n": 2})}
    state = State.of(1, parts, {})
    state.load(parts)
    for part in parts.values():
        assert part.got is not None
        tensors, facts = part.got
        assert facts == part.own[1]
        assert list(tensors) == list(part.own[0])
        assert all(torch.equal(tensors[name], value) for name, value in part.own[0].items())


def test_the_name_has_the_step_and_the_checksum(tmp_path: Path) -> None:
    States(tmp_path / "new", 2).write(State(7, TENSORS, {"seed": 5}))
    (path,) = (tmp_path / "new").iterdir()
    assert path.name == f"step-00000007.{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.safetensors"
    with safetensors.safe_open(path, framework="pt") as file:
        assert file.metadata() == {"step": "7", "facts": '{"seed": 5}'}
        assert file.get_tensor("weight").tolist() == TENSORS["weight"].tolist()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    facts = {"seed": 2**70, "loss": float("inf"), "parts": {"a": {}}}
    States(tmp_path, 2).write(State(12, TENSORS, facts))
    state, said = heard(tmp_path)
    assert state is not None
    assert (state.step, state.facts, said) == (12, facts, [])
    assert torch.equal(state.tensors["weight"], TENSORS["weight"])


def test_the_latest_few_are_kept(tmp_path: Path) -> None:
    states = States(tmp_path, 2)
    for step in (1, 2, 3, 4):
        states.write(State(step, TENSORS, {}))
    assert sorted(path.name[:13] for path in tmp_path.iterdir()) == ["step-00000003", "step-00000004"]


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    states = States(tmp_path, 2)
    for step in (99_999_998, 99_999_999, 100_000_000):
        states.write(State(step, TENSORS, {}))
    state, _ = heard(tmp_path)
    assert state is not None
    assert state.step == 100_000_000
    assert sorted(path.name.split(".")[0] for path in tmp_path.iterdir()) == [
        "step-100000000",
        "step-99999999",
    ]


def test_without_a_state_there_is_none(tmp_path: Path) -> None:
    assert heard(tmp_path) == (None, [])
    assert heard(tmp_path / "nowhere") == (None, [])
    for name in (
        "step-00000001.safetensors",
        "step-1.0123456789abcdef.safetensors",
        "step-00000001.0123456789ABCDEF.safetensors",
        "step-00000001.0123456789abcdef.safetensors.part",
        "a step-00000001.0123456789abcdef.safetensors",
    ):
        (tmp_path / name).write_bytes(b"")
    assert heard(tmp_path) == (None, [])


def test_a_damaged_state_is_said_and_the_one_before_it_taken(tmp_path: Path) -> None:
    states = States(tmp_path, 2)
    for step in (1, 2):
        states.write(State(step, TENSORS, {}))
    (path,) = tmp_path.glob("step-00000002*")
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    state, said = heard(tmp_path)
    assert state is not None
    assert state.step == 1
    right, wrong = (hashlib.sha256(each).hexdigest()[:16] for each in (content, content[:-1]))
    assert said == [
        f"a saved state is damaged\n  where:  {path}\n  got:    checksum {wrong}\n"
        f"  needed: checksum {right}\n  the state before it is taken"
    ]


def test_a_state_under_the_name_of_another_is_not_taken(tmp_path: Path) -> None:
    content = safetensors.torch.save(TENSORS, {"step": "3", "facts": "{}"})
    States(tmp_path, 2).write(State(2, TENSORS, {}))
    path = placed(tmp_path, "00000004", content)
    state, said = heard(tmp_path)
    assert state is not None
    assert state.step == 2
    assert said == [
        f"a saved state has the name of another\n  where:  {path}\n  got:    the state of step 3\n"
        "  the state before it is taken"
    ]


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (safetensors.torch.save(TENSORS), "'step'"),
        (safetensors.torch.save(TENSORS, {"step": "4"}), "'facts'"),
        (safetensors.torch.save(TENSORS, {"step": "4", "facts": "{"}), "Expecting property name"),
        (b"no tensors at all", "Error while deserializing"),
    ],
    ids=["no step", "no facts", "no JSON", "no tensors"],
)
def test_what_cannot_be_read_is_said(content: bytes, got: str, tmp_path: Path) -> None:
    States(tmp_path, 2).write(State(2, TENSORS, {}))
    path = placed(tmp_path, "00000004", content)
    state, (said,) = heard(tmp_path)
    assert state is not None
    assert state.step == 2
    assert said.startswith(f"a saved state is damaged\n  where:  {path}\n  got:    {got}")
    assert said.endswith("\n  the state before it is taken")


def test_a_state_that_the_disk_does_not_give_is_not_passed_over(tmp_path: Path) -> None:
    States(tmp_path, 2).write(State(2, TENSORS, {}))
    path = tmp_path / "step-00000004.0123456789abcdef.safetensors"
    path.mkdir()
    with pytest.raises(InputError) as error:
        heard(tmp_path)
    assert str(error.value) == f"a saved state cannot be read\n  where:  {path}\n  got:    Is a directory"


def test_where_all_are_damaged_it_is_refused(tmp_path: Path) -> None:
    said: list[str] = []
    for step in ("00000002", "00000004"):
        placed(tmp_path, step, b"no tensors at all")
    with pytest.raises(InputError) as error:
        States(tmp_path, 2).latest(said.append)
    assert [each.endswith("the state before it is taken") for each in said] == [True, False]
    assert str(error.value) == (
        f"no saved state is as it was written\n  where:  {tmp_path}\n  got:    2 that are damaged\n"
        "  needed: a whole one, to go on with\n"
        "  do:     bring one back from a copy, or train anew: another --out, or --overwrite"
    )


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_a_state_takes_the_place_of_another_one_of_its_step(keep: int, tmp_path: Path) -> None:
    states = States(tmp_path, keep)
    for step in (1, 2, 3):
        states.write(State(step, TENSORS, {}))
    for number in range(5):  # names in any order
        states.write(State(3, TENSORS, {"log": number}))
        state, said = heard(tmp_path)
        assert state is not None
        assert (state.facts, said) == ({"log": number}, [])
        assert len(list(tmp_path.iterdir())) == keep


def test_later_states_are_removed_not_those_that_are_written_after_them(tmp_path: Path) -> None:
    states = States(tmp_path, 2)
    for step in (3, 6, 9, 4, 5):
        states.write(State(step, TENSORS, {}))
    assert sorted(path.name[:13] for path in tmp_path.iterdir()) == ["step-00000004", "step-00000005"]


def test_states_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = States(tmp_path, 1)
    states.write(State(1, TENSORS, {}))

    def torn(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:10])
        raise InterruptedError

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(Exception, match="could not be written"):
        states.write(State(2, TENSORS, {}))
    assert [path.name[:13] for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_state_that_went_meanwhile_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where two processes remove the same one."""
    states = States(tmp_path, 1)
    states.write(State(1, TENSORS, {}))
    real = Path.unlink

    def twice(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith("step-"):
            real(path)
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", twice)
    states.write(State(2, TENSORS, {}))
    assert [path.name[:13] for path in tmp_path.iterdir()] == ["step-00000002"]


def test_a_state_of_wrong_content_is_no_input(tmp_path: Path) -> None:
    """What cannot be said in JSON is a mistake of the caller, and leaves no file."""
    with pytest.raises(TypeError):
        States(tmp_path, 1).write(State(1, TENSORS, {"a": object()}))
    assert not list(tmp_path.iterdir())


def test_the_reason_is_kept(tmp_path: Path) -> None:
    path = placed(tmp_path, "00000004", b"no tensors at all")
    with pytest.raises(InputError) as error:
        _read(path)
    assert isinstance(error.value.__cause__, safetensors.SafetensorError)

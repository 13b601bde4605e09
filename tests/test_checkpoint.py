"""The meta-parameters by name, in memory and on disk."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from fewshot.algorithms.maml import MAML
from fewshot.algorithms.multitask import MultiTask
from fewshot.checkpoint import (
    beside_scaffold,
    load_meta,
    meta_parameters,
    restore,
    save_meta,
    save_tensors,
    snapshot,
)
from fewshot.errors import InputError
from fewshot.models.lstm import LstmEncoder

ADAPTER = ["lstm.input", "lstm.state", "lstm.bias", "dense.weight", "dense.bias", "embedding"]


def small(seed: int = 0, head: str = "shared", features: int = 3) -> LstmEncoder:
    return LstmEncoder(2, 2, features, 5, head=head, seed=seed)  # type: ignore[arg-type]


def prepared(learner: LstmEncoder) -> MAML:
    algorithm = MAML()
    algorithm.prepare(learner)
    return algorithm


def stirred(learner: LstmEncoder, algorithm: nn.Module) -> None:
    with torch.no_grad():
        for number, value in enumerate([*learner.parameters(), *algorithm.parameters()]):
            value.add_(number + 1)


def test_they_are_named_by_what_they_belong_to() -> None:
    learner = small()
    algorithm = prepared(learner)
    found = meta_parameters(learner, algorithm)
    rates = [f"algorithm.log_rates.{name.replace('.', '/')}" for name in [*ADAPTER, *learner.head.names]]
    assert set(found) == {f"adapter.{n}" for n in ADAPTER} | {"head.log_scale", "head.vector", *rates}
    assert found["adapter.dense.bias"] is learner.adapter()["dense.bias"]
    assert found["head.log_scale"] is learner.head.log_scale
    assert found["algorithm.log_rates.head/bias"] is algorithm.log_rates["head/bias"]


def test_a_snapshot_stays_as_it_is() -> None:
    parameter = nn.Parameter(torch.ones(2))
    taken = snapshot({"a": parameter})
    with torch.no_grad():
        parameter.zero_()
    assert taken["a"].tolist() == [1, 1]
    assert not taken["a"].requires_grad
    restore({"a": parameter}, taken, "here")
    assert parameter.tolist() == [1, 1]
    assert parameter.requires_grad


def test_a_copy_is_not_bound_to_what_it_was_made_of() -> None:
    parameter, values = nn.Parameter(torch.zeros(1)), {"a": torch.ones(1)}
    restore({"a": parameter}, values, "here")
    values["a"].zero_()
    assert parameter.tolist() == [1]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": (2,)}, "1 names or shapes that differ: b"),
        ({"a": (2,), "b": (1, 1)}, "1 names or shapes that differ: b"),
        ({"a": (2,), "b": (1,), "c": (4,)}, "1 names or shapes that differ: c"),
        ({"a": (3,), "c": (1,)}, "3 names or shapes that differ: a, b, c"),
    ],
    ids=["missing", "another shape", "one more", "several"],
)
def test_what_belongs_to_another_model_is_refused(found: dict[str, tuple[int, ...]], said: str) -> None:
    parameters = {"a": nn.Parameter(torch.zeros(2)), "b": nn.Parameter(torch.zeros(1))}
    with pytest.raises(InputError) as error:
        restore(parameters, {name: torch.ones(shape) for name, shape in found.items()}, "best.safetensors")
    assert str(error.value) == (
        "these meta-parameters belong to another model or algorithm\n"
        "  where:  best.safetensors\n"
        f"  got:    {said}\n"
        "  needed: the model and the algorithm of the run that wrote them"
    )
    assert not parameters["a"].any()  # none of them is written


def test_tensors_are_written_whole(tmp_path: Path) -> None:
    save_tensors(tmp_path / "new" / "a.safetensors", {"x": torch.ones(2)})
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.safetensors"]
    found = safetensors.torch.load((tmp_path / "new" / "a.safetensors").read_bytes())
    assert {name: value.tolist() for name, value in found.items()} == {"x": [1, 1]}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    ours, theirs = small(), small(seed=1)
    algorithm, fresh = prepared(ours), prepared(theirs)
    stirred(ours, algorithm)
    save_meta(tmp_path, ours, algorithm)
    load_meta(tmp_path, theirs, fresh)
    found = meta_parameters(theirs, fresh)
    for name, value in meta_parameters(ours, algorithm).items():
        assert torch.equal(found[name], value), name


def test_the_adapter_has_a_folder_of_its_own(tmp_path: Path) -> None:
    learner = small()
    algorithm = prepared(learner)
    save_meta(tmp_path, learner, algorithm)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "meta.safetensors"]
    beside = safetensors.torch.load((tmp_path / "meta.safetensors").read_bytes())
    assert set(beside) == {n for n in meta_parameters(learner, algorithm) if not n.startswith("adapter.")}


def test_what_only_training_needs_is_not_saved(tmp_path: Path) -> None:
    learner, algorithm = small(), MultiTask()
    algorithm.meet({"bank": ["card", "cash"]})
    algorithm.prepare(learner)
    names = meta_parameters(learner, algorithm)
    assert "algorithm.vectors" in names
    assert set(beside_scaffold(names, algorithm)) == set(names) - {"algorithm.vectors"}
    assert beside_scaffold({"vectors": 1, "algorithm.vectors": 2}, algorithm) == {"vectors": 1}
    save_meta(tmp_path, learner, algorithm)
    assert set(safetensors.torch.load((tmp_path / "meta.safetensors").read_bytes())) == {
        "head.log_scale",
        "head.vector",
    }


def test_meta_parameters_of_another_head_are_refused(tmp_path: Path) -> None:
    learner = small()
    save_meta(tmp_path, learner, prepared(learner))
    other = small(head="prototype")
    with pytest.raises(InputError) as error:
        load_meta(tmp_path, other, prepared(other))
    assert str(error.value) == (
        "these meta-parameters belong to another model or algorithm\n"
        f"  where:  {tmp_path / 'meta.safetensors'}, tensor head.vector\n"
        "  got:    F32 of shape (3,)\n"
        "  needed: no such tensor, but 9 others\n"
        "  do:     take the configuration of the run that wrote them"
    )


def test_rates_of_another_shape_are_refused(tmp_path: Path) -> None:
    learner = small()
    algorithm = prepared(learner)
    save_meta(tmp_path, learner, algorithm)
    algorithm.log_rates["head/bias"] = nn.Parameter(torch.zeros(2))
    with pytest.raises(InputError) as error:
        load_meta(tmp_path, learner, algorithm)
    assert "tensor algorithm.log_rates.head/bias\n  got:    F32 of shape ()\n" in str(error.value)
    assert "needed: floats of shape (2,)" in str(error.value)

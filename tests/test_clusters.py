"""`fewshot cluster`: pseudo-classes of texts without labels."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli, LearnerMaker

from fewshot.clusters import clusters_of, frozen_features
from fewshot.data.pool import Pool

TEXTS = [f"{word} {n}" for n in range(8) for word in ("rain", "piano", "bread")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "texts.jsonl"
    lines = [json.dumps({"text": text, "label": "looked at by nobody"}) for text in TEXTS]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_features_are_of_the_backbone_alone_in_the_order_of_the_texts(make_learner: LearnerMaker) -> None:
    learner = make_learner()
    together = frozen_features(learner, TEXTS)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(frozen_features(learner, TEXTS[5:6]), together[5:6], atol=1e-5)
    assert np.allclose(frozen_features(make_learner(compute=learner._compute), TEXTS), together, atol=1e-5)


def test_what_lies_together_is_a_cluster() -> None:
    corners = np.eye(3, dtype=np.float32).repeat(5, axis=0)
    numbers = clusters_of(corners, 3, seed=0)
    assert [len(set(numbers[at : at + 5].tolist())) for at in (0, 5, 10)] == [1, 1, 1]
    assert len(set(numbers.tolist())) == 3


def test_the_folder_is_a_source(source: Path, tiny_backbone: str, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "clusters"
    words = ("--clusters", 4, "--model.backbone", tiny_backbone, "--model.compute.dtype", "float32")
    code, said, error = cli("cluster", source, "--out", out, *words)
    assert (code, error.count("error")) == (0, 0)
    assert "24 texts in 4 clusters" in said
    pool = Pool.load(str(out))
    assert sorted(pool.texts()) == sorted(TEXTS)
    assert set(pool.classes) <= {f"cluster {n}" for n in range(4)}
    about = json.loads((out / "clusters.json").read_text(encoding="utf-8"))
    assert (about["texts"], about["clusters"], about["seed"]) == (24, 4, 0)
    again = tmp_path / "again"
    assert cli("cluster", source, "--out", again, *words)[0] == 0
    assert (again / "data.jsonl").read_bytes() == (out / "data.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--clusters", 1), "clusters"),
        (("--clusters", 25), "more clusters than texts"),
        (("--text", "words"), "words"),
    ],
)
def test_what_cannot_be_clustered_is_refused(
    words: tuple[object, ...], said: str, source: Path, tmp_path: Path, cli: Cli
) -> None:
    code, _, error = cli("cluster", source, "--out", tmp_path / "out", *words)
    assert code == 2
    assert said in error
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_left(source: Path, tmp_path: Path, cli: Cli) -> None:
    code, _, error = cli("cluster", source, "--out", tmp_path)
    assert code == 2
    assert "exists already" in error

"""Data sets of the hub, played by folders on this disk: what is asked of it, and what is recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fewshot.data.catalogue import CATALOGUE, UNVERIFIED, entry_of
from fewshot.data.find import Columns, Reference
from fewshot.data.pool import Pool
from fewshot.data.reading import Reading
from fewshot.data.rows import read_rows
from fewshot.data.split import ClassSplit
from fewshot.errors import InputError
from fewshot.tasks.metatraining import MetaTraining
from fewshot.tasks.nway import NWayKShot

SHA = "0123456789abcdef0123456789abcdef01234567"
load_dataset = datasets.load_dataset


class Hub:
    """Answers for every data set with the parquet files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.loaded: list[tuple[str, str | None, str | None, bool]] = []

    def dataset_info(self, name: str, revision: str | None = None, timeout: float = 0) -> SimpleNamespace:
        self.asked.append((name, revision, str(timeout)))
        return SimpleNamespace(sha=SHA)

    def load(self, name: str, subset: str | None = None, revision: str | None = None, **options: Any) -> Any:
        self.loaded.append((name, subset, revision, bool(options.get("streaming"))))
        return load_dataset(str(self.folder), **options)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("FEWSHOT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    made = Hub(tmp_path / "hub")
    made.folder.mkdir()
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda _, *a, **k: made.dataset_info(*a, **k))
    monkeypatch.setattr(datasets, "load_dataset", made.load)
    return made


def put(hub: Hub, part: str, **columns: Any) -> None:
    pq.write_table(pa.table(columns), hub.folder / f"{part}.parquet")


def forty(prefix: str) -> dict[str, list[str]]:
    return {"text": [f"{prefix} {n}" for n in range(40)], "label": [f"c{n % 8}" for n in range(40)]}


def test_a_hub_id_is_pinned_to_the_commit_that_was_read(hub: Hub) -> None:
    put(hub, "train", **forty("a"))
    pool = Pool.load("owner/name")
    assert hub.asked == [("owner/name", None, "10")]
    assert hub.loaded == [("owner/name", None, SHA, False)]
    assert pool.origin.revision == SHA
    assert pool.origin.pinned == f"owner/name@{SHA}"


def test_subset_and_revision_go_to_the_hub(hub: Hub) -> None:
    put(hub, "train", **forty("a"))
    pool = Pool.load("owner/name:small@refs/convert/parquet")
    assert hub.asked == [("owner/name", "refs/convert/parquet", "10")]
    assert hub.loaded == [("owner/name", "small", SHA, False)]
    assert pool.origin.pinned == f"owner/name:small@{SHA}"


def test_a_family_records_the_pinned_source(hub: Hub) -> None:
    put(hub, "train", **forty("a"))
    family = NWayKShot("owner/name", 2, 1, 1, split=ClassSplit(fractions=(0.5, 0.25, 0.25)))
    assert family.resolved() == {"source": f"owner/name@{SHA}"}


def test_further_sources_are_recorded_pinned_too(hub: Hub, tmp_path: Path) -> None:
    put(hub, "train", **forty("a"))
    texts = tmp_path / "clusters.jsonl"
    rows = zip(*forty("b").values(), strict=True)
    texts.write_text("".join(json.dumps({"text": t, "label": f"x-{c}"}) + "\n" for t, c in rows))
    further = MetaTraining(way=2, sources=["owner/name"], unlabelled=[str(texts)])
    own = [{"text": f"own {n}", "label": f"own{n % 4}"} for n in range(16)]
    family = NWayKShot(own, 2, 1, 1, split=ClassSplit(fractions=(0.5, 0.5, 0.0)), meta_training=further)
    found = family.resolved()["meta_training"]
    assert (found["sources"], found["unlabelled"]) == ([f"owner/name@{SHA}"], [str(texts)])
    assert (found["way"], found["share"]) == (2, further.share)


def test_a_name_of_the_catalogue_knows_its_columns_and_parts(hub: Hub) -> None:
    put(hub, "train", text=["one", "two"], label=[0, 1], label_text=["a", "b"])
    put(hub, "test", text=["three", ""], label=[0, 1], label_text=["a", "b"])
    pool = Pool.load("banking77")
    assert hub.loaded == [("mteb/banking77", None, SHA, False)]
    assert {label: pool.size(label) for label in pool.classes} == {"a": 2, "b": 1}
    assert pool.cleaned == {"left out: gaps": 1}
    assert pool.origin.pinned == f"banking77@{SHA}"
    again = Pool.load(pool.origin.pinned)
    assert hub.loaded[1] == ("mteb/banking77", None, SHA, False)
    assert again.classes == pool.classes


def test_numbered_classes_come_by_name_and_unlabelled_rows_are_refused(hub: Hub) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    rows = datasets.Dataset.from_dict({"text": ["x", "y"], "label": [1, -1]}, features=features)
    rows.to_parquet(hub.folder / "train.parquet")
    with pytest.raises(InputError, match="a row without a label"):
        Pool.load("owner/name")
    pool = Pool.load("owner/name", reading=Reading(gaps="skip"))
    assert pool.classes == ("yes",)
    assert pool.cleaned == {"left out: gaps": 1}


def test_parts_are_chosen_and_told_apart(hub: Hub) -> None:
    put(hub, "train", **forty("a"))
    put(hub, "test", **forty("b"))
    assert len(Pool.load("owner/name")) == 80
    assert len(Pool.load("owner/name", reading=Reading(parts=["test"]))) == 40
    parts = Pool.load("owner/name", also=["split"]).parts("split")
    assert {name: len(part) for name, part in parts.items()} == {"train": 40, "test": 40}
    with pytest.raises(InputError, match="there is no part 'tset'"):
        Pool.load("owner/name", reading=Reading(parts=["tset"]))


def test_a_stream_reads_the_first_rows_alone(hub: Hub) -> None:
    put(hub, "train", **forty("a"))
    rows = read_rows("owner/name", None, Reading(stream=10)).to_list()
    assert hub.loaded[0][3] is True
    assert [row["text"] for row in rows] == [f"a {n}" for n in range(10)]


def test_a_local_file_is_streamed_too(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "".join(f"t{n},007\n" for n in range(50)))
    rows = read_rows(str(file), None, Reading(stream=3)).to_list()
    assert rows == [{"text": f"t{n}", "label": "007"} for n in range(3)]


def test_a_class_is_cut_to_its_first_rows(hub: Hub) -> None:
    put(hub, "train", **forty("a"))
    pool = Pool.load("owner/name", reading=Reading(per_class=2))
    assert {pool.size(label) for label in pool.classes} == {2}
    assert [example.text for example in pool.all_of("c3")] == ["a 3", "a 11"]


def test_without_the_hub_the_cache_is_read(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    put(hub, "train", **forty("a"))
    offline: list[bool] = []

    def unreachable(*_: Any, **__: Any) -> None:
        raise OSError("there is no network in tests")

    def load(*words: Any, **options: Any) -> Any:
        offline.append(datasets.config.HF_HUB_OFFLINE)
        return hub.load(*words, **options)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    monkeypatch.setattr(datasets, "load_dataset", load)
    pool = Pool.load("owner/name@v1")
    assert offline == [True]
    assert datasets.config.HF_HUB_OFFLINE is False
    assert pool.origin.revision == "v1"


@pytest.mark.parametrize(
    ("source", "reference"),
    [
        ("banking77", Reference("banking77")),
        ("owner/name", Reference("owner/name")),
        ("owner/name@main", Reference("owner/name", None, "main")),
        ("owner/name:plus@refs/convert/parquet", Reference("owner/name", "plus", "refs/convert/parquet")),
        ("not an id at all!", Reference("not an id at all!")),
    ],
)
def test_a_reference_is_taken_apart(source: str, reference: Reference) -> None:
    assert Reference.parse(source) == reference


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_is_a_hub_id_and_says_when_it_was_loaded(name: str) -> None:
    entry = CATALOGUE[name]
    assert Reference.parse(entry.hub).id.count("/") == 1
    assert entry.loaded == UNVERIFIED or len(entry.loaded.split("-")) == 3
    assert isinstance(entry.columns, Columns)
    assert entry_of(f"{name}@{SHA}") is entry


def test_rows_in_memory_are_a_source(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"q": ["a", "b", "a"], "intent": [1, 2, 1]})
    pool = Pool.load(frame, Columns("q", "intent", label_names=["zero", "one", "two"]))
    assert {label: [e.text for e in pool.all_of(label)] for label in pool.classes} == {
        "one": ["a"],
        "two": ["b"],
    }
    rows = [{"text": "x", "label": "l"}]
    make: Callable[[], Pool] = lambda: Pool.load(rows)  # noqa: E731
    assert make().origin.name == "memory"

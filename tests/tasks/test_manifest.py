import json
from pathlib import Path

import datasets
import pytest
from tasks.made import FAMILIES_MADE, TWELVE, rows

from fewshot.data.split import Side
from fewshot.errors import InputError
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.tasks.manifest import Manifest, Replayed, manifest
from fewshot.tasks.nway import NWayKShot


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "talk.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows(TWELVE)))
    return file


def saved(family: TaskFamily, folder: Path, side: Side = "test", seed: int = 3, count: int = 4) -> Path:
    drawn = list(episodes(family, side, seed, range(count)))
    file = folder / "manifest.json"
    file.write_text(json.dumps(manifest(family, side, seed, drawn)))
    return file


def family_of(source: Path, shot: int = 3) -> NWayKShot:
    return NWayKShot(str(source), 2, shot, 2)


@pytest.mark.parametrize("name", FAMILIES_MADE)
def test_every_family_is_replayed_to_the_letter(name: str, tmp_path: Path) -> None:
    made = FAMILIES_MADE[name].make
    file = saved(made(), tmp_path)
    again = Replayed(made(), Manifest.read(file))
    assert len(again) == 4
    assert list(episodes(again, "test", 99, range(4))) == list(episodes(made(), "test", 3, range(4)))


def test_a_manifest_holds_no_texts(source: Path, tmp_path: Path) -> None:
    content = saved(family_of(source), tmp_path).read_text()
    assert "number" not in content
    (entry, *_) = json.loads(content)["episodes"]
    assert set(entry) == {"source", "classes", "support", "query"}
    assert all(len(key) == 16 for key in entry["support"] + entry["query"])


def test_episodes_are_built_from_rows_not_drawn(source: Path, tmp_path: Path) -> None:
    """So that a version that draws otherwise still replays them: here a family of another shot does."""
    file = saved(family_of(source), tmp_path)
    again = Replayed(family_of(source, shot=1), Manifest.read(file))
    assert list(episodes(again, "test", 0, range(4))) == list(
        episodes(family_of(source), "test", 3, range(4))
    )


@pytest.mark.parametrize("name", ["Views", "MaskedWords", "Matching"])
def test_data_that_lies_elsewhere_is_replayed(name: str, tmp_path: Path) -> None:
    """Texts that are made of rows too: what they are called in is no part of an episode."""
    make = FAMILIES_MADE[name].make
    file = saved(make(), tmp_path)
    content = json.loads(file.read_text())
    for entry in content["episodes"]:
        entry["source"] = f"elsewhere/{entry['source']}"
    content["sources"][0]["name"] = "elsewhere"
    file.write_text(json.dumps(content))
    again = list(episodes(Replayed(make(), Manifest.read(file)), "test", 0, range(4)))
    assert [e.support for e in again] == [e.support for e in episodes(make(), "test", 3, range(4))]


def complaint(source: Path, file: Path, index: int = 0, side: Side = "test") -> str:
    with pytest.raises(InputError) as caught:
        list(episodes(Replayed(family_of(source), Manifest.read(file)), side, 0, [index]))
    return str(caught.value)


def test_a_changed_data_file_is_noticed(source: Path, tmp_path: Path) -> None:
    file = saved(family_of(source), tmp_path)
    before = json.loads(file.read_text())["sources"][0]["sha256"]
    source.write_text(source.read_text().replace("class03 number 4", "class03 number four"))
    (now,) = {pool.origin.sha256 for pool in family_of(source).split("test").pools()}
    assert complaint(source, file) == (
        "the data is not what the manifest was made from\n"
        f"  where:  {source}\n"
        f"  got:    sha256 {now}\n"
        f"  needed: sha256 {before}, as in {file}\n"
        "  do:     take the same data, or evaluate without the manifest"
    )


def test_a_row_that_is_missing_is_noticed(source: Path, tmp_path: Path) -> None:
    file = saved(family_of(source), tmp_path)
    content = json.loads(file.read_text())
    content["episodes"][1]["query"][0] = "0" * 16
    file.write_text(json.dumps(content))
    assert complaint(source, file, 1) == (
        "episode 1 of the manifest cannot be drawn again\n"
        f"  where:  {file}\n"
        "  got:    rows that the data does not have, or another family or split\n"
        "  needed: the data, the family and the version that it was made with"
    )


def test_more_episodes_than_it_has_are_refused(source: Path, tmp_path: Path) -> None:
    file = saved(family_of(source), tmp_path)
    assert complaint(source, file, 4) == (
        "the manifest has fewer episodes\n"
        f"  where:  {file}\n"
        "  got:    episode 5\n"
        "  needed: at most 4, by --episodes"
    )


def test_a_manifest_is_of_one_side(source: Path, tmp_path: Path) -> None:
    file = saved(family_of(source), tmp_path)
    assert complaint(source, file, side="valid") == (
        "the manifest has no valid episodes\n"
        f"  where:  {file}\n"
        "  got:    episodes of the side test\n"
        "  needed: a manifest of the side valid"
    )


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("no json", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ("{}", "KeyError: 'schema'"),
        ('{"schema": 7, "side": "test", "episodes": [1]}', "ValueError: schema 7, side 'test'"),
        ('{"schema": 1, "side": "test", "episodes": [{"source": ""}]}', "KeyError: 'classes'"),
    ],
)
def test_what_is_no_manifest_is_refused(content: str, got: str, tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        Manifest.read(file)
    assert str(caught.value) == (
        f"this is no manifest of episodes\n  where:  {file}\n  got:    {got}\n"
        "  needed: the manifest.json of an evaluation"
    )

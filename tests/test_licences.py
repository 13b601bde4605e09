"""Licences are those that stand beside data and models; none is guessed."""

from pathlib import Path

import pytest

from fewshot.cards.licences import Stated, common, stated_by_backbone, stated_by_source


@pytest.mark.parametrize(
    ("said", "stated"),
    [
        ("license: mit", Stated("mit", "mit")),
        ("license:\n- mit", Stated("mit", "mit")),
        ("license:\n- mit\n- cc-by-4.0", Stated("mit, cc-by-4.0")),
        ("license: other\nlicense_name: ours", Stated("ours")),
        ("license: other", Stated("other")),
        ("language: en", None),
        ("license: [", None),
        ("- a list", None),
    ],
)
def test_licences_are_those_of_cards(said: str, stated: Stated | None, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"---\n{said}\n---\n# it\n")
    assert stated_by_backbone(str(tmp_path)) == stated
    assert stated_by_source(str(tmp_path)) == stated
    (tmp_path / "data.jsonl").write_text("{}")
    assert stated_by_source(str(tmp_path / "data.jsonl")) is None, "that card may be a project's"


def test_what_states_no_licence(tmp_path: Path) -> None:
    (tmp_path / "SOURCE.md").write_text("# corpus\n\n- paper: none\n")
    assert stated_by_source(str(tmp_path)) is None
    (tmp_path / "SOURCE.md").write_bytes(b"licence: \xff\xfe")
    assert stated_by_source(str(tmp_path)) is None
    assert stated_by_source("nobody/nothing-at-all") is None
    assert stated_by_source("memory") is None
    assert stated_by_backbone("shape:llama-1b") is None


def test_a_licence_is_common_where_all_state_it() -> None:
    mit = Stated("mit", "mit")
    assert common([mit, mit]) == "mit"
    assert common([mit, None]) is None
    assert common([mit, Stated("apache-2.0", "apache-2.0")]) is None
    assert common([mit, Stated("MIT License")]) is None, "words are not the hub's id"
    assert common([]) is None

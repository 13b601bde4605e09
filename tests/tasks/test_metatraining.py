"""Meta-training episodes of other sizes, and from further data sets."""

from collections import Counter

import pytest
from tasks.made import Row, rows

from fewshot.data.pool import Pool
from fewshot.data.split import ClassSplit
from fewshot.errors import InputError
from fewshot.tasks.apart import leaks_of
from fewshot.tasks.family import episodes
from fewshot.tasks.metatraining import MetaTraining, apart
from fewshot.tasks.nway import NWayKShot

SPLIT = ClassSplit(lists={"train": ["a", "b", "c"], "valid": ["d", "e"], "test": ["f", "g"]})
OWN = rows(["a", "b", "c", "d", "e", "f", "g"])


def family(**changes: object) -> NWayKShot:
    return NWayKShot(OWN, way=2, shot=1, queries=2, split=SPLIT, meta_training=MetaTraining(**changes))  # type: ignore[arg-type]


def sizes(made: NWayKShot, side: str) -> set[tuple[int, int, int]]:
    drawn = episodes(made, side, 0, range(20))  # type: ignore[arg-type]
    return {(each.way, len(each.support) // each.way, len(each.query) // each.way) for each in drawn}


def test_sizes_hold_for_meta_training_alone() -> None:
    made = family(way=40, shot=3, queries=1)
    assert sizes(made, "train") == {(3, 3, 1)}, "no more ways than classes"
    assert sizes(made, "valid") == sizes(made, "test") == {(2, 1, 2)}


def test_without_sizes_episodes_are_the_familys() -> None:
    assert sizes(family(), "train") == {(2, 1, 2)}


def test_a_way_that_is_not_asked_for_is_not_lowered() -> None:
    with pytest.raises(InputError, match="more ways than classes"):
        NWayKShot(OWN, way=4, shot=1, split=SPLIT)


def test_shares_are_of_episodes() -> None:
    made = family(
        sources=[rows(["x", "y"]), rows(["z", "w"])],
        unlabelled=[rows(["cluster 0", "cluster 1"])],
        share=0.5,
        unlabelled_share=0.6,
    )
    drawn = Counter(label for e in episodes(made, "train", 0, range(2000)) for label in e.classes)
    of = {name: sum(drawn[label] for label in name.split("|")) / 4000 for name in ("x|y", "z|w", "a|b|c")}
    assert of["a|b|c"] == pytest.approx(0.2, abs=0.03)
    assert of["x|y"] == pytest.approx(0.1, abs=0.03)
    assert of["z|w"] == pytest.approx(0.1, abs=0.03)
    assert sum(drawn[f"cluster {n}"] for n in (0, 1)) / 4000 == pytest.approx(0.6, abs=0.03)


def test_further_sources_lose_what_is_held_out() -> None:
    shared: list[Row] = [{"text": "F NUMBER 3!", "label": "x"}]
    made = family(sources=[rows(["f", "x", "y"]) + shared], share=0.0)
    drawn = list(episodes(made, "train", 0, range(200)))
    assert {label for each in drawn for label in each.classes} == {"x", "y"}, "the class f is tested"
    assert not any(e.text == "F NUMBER 3!" for each in drawn for e in (*each.support, *each.query))
    assert not leaks_of(made).leaks


def test_classes_too_small_after_that_are_left_out() -> None:
    held = Pool.of(Pool.load(rows(["f"])).all_of("f"))
    few: list[Row] = [{"text": f"f number {n}", "label": "x"} for n in range(12)] + rows(["y"])
    assert apart(Pool.load(few), [held], 2).classes == ("y",)


def test_pseudo_classes_may_have_any_text_and_it_is_reported() -> None:
    pseudo = [{"text": row["text"], "label": f"cluster {n % 3}"} for n, row in enumerate(OWN)]
    made = family(unlabelled=[pseudo], unlabelled_share=1.0)
    drawn = episodes(made, "train", 0, range(50))
    assert {label for each in drawn for label in each.classes} == {"cluster 0", "cluster 1", "cluster 2"}
    assert {leak.kind for leak in leaks_of(made).leaks} == {"text"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"way": 1}, "family.meta_training.way"),
        ({"shot": 0}, "family.meta_training.shot"),
        ({"queries": 0}, "family.meta_training.queries"),
        ({"share": 1.5}, "family.meta_training.share"),
        ({"unlabelled_share": -0.1}, "family.meta_training.unlabelled_share"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        MetaTraining(**changes)  # type: ignore[arg-type]

"""Episodes that are drawn several times from the same classes."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import LearnerMaker
from tasks.made import FAMILIES_MADE, TWELVE, rows

from fewshot.algorithms.prototypes import FrozenPrototypes
from fewshot.data.augment import Augmentation
from fewshot.errors import InputError
from fewshot.evaluation import Evaluation, evaluate
from fewshot.metrics.intervals import mean_interval
from fewshot.results import summarise
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.family import episodes
from fewshot.tasks.manifest import Manifest, Replayed, manifest
from fewshot.tasks.nway import NWayKShot

CANNOT = {"VariableWayShot", "PublishedEpisodes", "MaskedWords", "Views", "Matching"}


@pytest.mark.parametrize("name", FAMILIES_MADE)
def test_a_family_draws_again_or_says_that_it_cannot(name: str) -> None:
    family = FAMILIES_MADE[name].make()
    if name.split(",")[0].split(" ")[0] in CANNOT:
        with pytest.raises(InputError, match="this family cannot draw the classes of an episode again"):
            list(episodes(family, "test", 0, range(2), repeats=2))
    else:
        first, second = episodes(family, "test", 0, range(2), repeats=2)
        assert (first.classes, first.source) == (second.classes, second.source)
        assert first != second


def test_a_draw_follows_from_its_index_alone() -> None:
    family = NWayKShot(rows(TWELVE), 2, 3, 2)
    whole = list(episodes(family, "test", 4, range(12), repeats=3))
    assert list(episodes(family, "test", 4, [7, 2], repeats=3)) == [whole[7], whole[2]]
    assert whole[::3] == list(episodes(family, "test", 4, range(4)))


def test_support_sets_that_are_drawn_again_are_augmented_again() -> None:
    family = NWayKShot(rows(TWELVE), 2, 3, 2, augmentation=Augmentation(copies=1, sides="all"))
    assert all(episode.augmented for episode in episodes(family, "test", 0, range(4), repeats=2))


@pytest.mark.parametrize("kind", ["rows", "made up"])
def test_a_manifest_replays_every_draw(kind: str, tmp_path: Path) -> None:
    family = NWayKShot(rows(TWELVE), 2, 3, 2) if kind == "rows" else Attributes(3, 2, 2)
    drawn = list(episodes(family, "test", 5, range(6), repeats=2))
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest(family, "test", 5, drawn, repeats=2)))
    again = Replayed(family, Manifest.read(file))
    assert list(episodes(again, "test", 0, range(6))) == drawn


def test_repeats_split_the_variance(make_learner: LearnerMaker) -> None:
    family = NWayKShot(rows(TWELVE), 2, 3, 4)
    settings = Evaluation(36, repeats=3)
    results = evaluate(family, make_learner(), FrozenPrototypes(), settings)
    summary = summarise(results, repeats=3)
    means = np.array([result.after.accuracy for result in results]).reshape(12, 3).mean(1)
    _, _, low, high = mean_interval(means.tolist())
    assert summary["accuracy"]["ci95"] == pytest.approx([low, high])  # draws of the same classes count as one
    found = summary["variance"]
    assert found["sets"] <= 6  # two of four classes
    assert found["repeats"] == 36 / found["sets"]
    assert min(found["classes"], found["support"], found["queries"]) >= 0


def test_every_set_of_classes_is_drawn_from_as_often() -> None:
    with pytest.raises(InputError, match=r"the last classes(.|\n)*10 episodes, repeats 4"):
        Evaluation(10, repeats=4)

"""What each family promises beyond the contract."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tasks.made import (
    COARSE,
    HALVES,
    OUTSIDE,
    THIRDS,
    TWELVE,
    named,
    pairs,
    published,
    records,
    rows,
    sentences,
    tasks,
    views,
)

from fewshot.data.find import Columns
from fewshot.data.reading import Reading
from fewshot.data.split import SIDES, ClassSplit, Side
from fewshot.errors import InputError
from fewshot.tasks.coarse import CoarseToFine
from fewshot.tasks.crossdomain import CrossDomain
from fewshot.tasks.domains import Domains
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.tasks.masked import MaskedWords
from fewshot.tasks.matching import Matching
from fewshot.tasks.mixture import Mixture
from fewshot.tasks.nway import NWayKShot
from fewshot.tasks.outofscope import OutOfScope
from fewshot.tasks.pairs import TextPairs
from fewshot.tasks.published import PublishedEpisodes
from fewshot.tasks.records import Records
from fewshot.tasks.variable import VariableWayShot
from fewshot.tasks.views import Views


def drawn(family: TaskFamily, side: Side = "test", count: int = 40) -> list[Episode]:
    return list(episodes(family, side, 0, range(count)))


# Meta-Dataset


def test_way_and_shot_vary_within_their_limits() -> None:
    sizes = {label: 5 + 5 * n for n, label in enumerate(TWELVE)}
    data = [{"text": f"{c} {n}", "label": c} for c, size in sizes.items() for n in range(size)]
    family = VariableWayShot(data, 2, 6, 30, 8, 4, split=ClassSplit(lists={"train": TWELVE}))
    found = drawn(family, "train", 200)
    assert {episode.way for episode in found} == {2, 3, 4, 5, 6}
    assert max(len(episode.support) for episode in found) <= 30
    uneven = 0
    for episode in found:
        shots = Counter(example.label for example in episode.support)
        asked = Counter(example.label for example in episode.query)
        queries = min(4, min(sizes[label] for label in episode.classes) // 2)
        assert set(asked.values()) == {queries}
        assert all(1 <= shots[label] <= sizes[label] - queries for label in episode.classes)
        uneven += len(set(shots.values())) > 1
    assert uneven > 100


def test_larger_classes_get_more_support() -> None:
    sizes = {"small": 10, "large": 90}
    data = [{"text": f"{c} {n}", "label": c} for c, size in sizes.items() for n in range(size)]
    family = VariableWayShot(data, 2, 2, 40, 30, 2, split=ClassSplit(lists={"train": list(sizes)}))
    counts = Counter(example.label for episode in drawn(family, "train", 200) for example in episode.support)
    assert counts["large"] > 4 * counts["small"]


# Mixtures


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({}, 0.5),
        ({"weights": [3.0, 1.0]}, 0.75),
        ({"temperature": 1.0}, 0.5),
        ({"weights": [1.0, 0.0]}, 1.0),
    ],
)
def test_data_sets_are_drawn_by_their_shares(shares: dict[str, object], expected: float) -> None:
    family = Mixture([named("one"), named("two", "k")], 2, 3, 2, **shares)  # type: ignore[arg-type]
    found = Counter(episode.source.split()[0] for episode in drawn(family, "train", 400))
    assert found["one"] / 400 == pytest.approx(expected, abs=0.07)


def test_a_temperature_lies_between_sizes_and_evenness() -> None:
    from fewshot.data.example import Example
    from fewshot.data.pool import Pool

    def pool(name: str, each: int) -> Pool:
        return Pool.of(
            [Example(f"{name} {c} {n}", f"{name}{c}") for c in range(8) for n in range(each)], name
        )

    shares = []
    for temperature in (1.0, 4.0, 1e6):
        family = Mixture([pool("big", 90), pool("small", 10)], 2, 2, 2, temperature=temperature)
        found = Counter(episode.source.split()[0] for episode in drawn(family, "train", 500))
        shares.append(found["big"] / 500)
    assert shares == pytest.approx([0.9, 9**0.25 / (1 + 9**0.25), 0.5], abs=0.06)


# Coarse to fine


def test_training_asks_for_coarse_classes_and_the_test_for_fine_ones_of_one() -> None:
    family = CoarseToFine(COARSE, "coarse", 2, 3, 2, split=HALVES)
    assert {c for episode in drawn(family, "train") for c in episode.classes} <= set("abcdef")
    for episode in drawn(family):
        assert len({label[0] for label in episode.classes}) == 1
        assert all(len(label) == 2 for label in episode.classes)
    sides = [{label[0] for e in drawn(family, side) for label in e.classes} for side in SIDES]
    assert not (sides[0] & sides[2])
    assert not (sides[0] & sides[1])
    assert not (sides[1] & sides[2])


def test_a_sign_in_the_label_names_the_coarse_class() -> None:
    data = [
        {"text": f"{c}{f} {n}", "label": f"{c}/{f}"} for c in "abcdef" for f in range(3) for n in range(6)
    ]
    family = CoarseToFine(data, "/", 2, 2, 2, split=HALVES)
    assert {c for episode in drawn(family, "train") for c in episode.classes} <= set("abcdef")


# Domains


def test_published_support_rows_are_learned_from_and_test_rows_asked_about() -> None:
    data = tasks([f"t{n}" for n in range(8)])
    family = Domains(data, 3, 2, split=HALVES)
    part = {row["text"]: row["split"] for row in data}
    for episode in drawn(family):
        assert {part[example.text] for example in episode.support} == {"train"}
        assert {part[example.text] for example in episode.query} == {"test"}
    assert {part[e.text] for episode in drawn(family, "train") for e in episode.support} == {"train", "test"}


def test_a_text_in_two_parts_of_a_task_counts_once() -> None:
    twice = [row | {"split": split} for row in tasks(["x", "y"], each=6) for split in ("train", "test")]
    family = Domains(twice, 3, 3, split=ClassSplit(lists={"train": ["x", "y"]}))
    for episode in drawn(family, "train"):
        assert len({example.text for example in episode.support + episode.query}) == 12


def test_several_sources_are_a_task_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        content = [json.dumps(row | {"text": f"{name} {row['text']}"}) for row in rows(["no", "yes"])]
        Path(f"{name}.jsonl").write_text("\n".join(content))
    lists = {"train": ["one.jsonl"], "test": ["two.jsonl"]}
    family = Domains("one.jsonl, two.jsonl", 2, 2, rows=None, split=ClassSplit(lists=lists))
    assert {episode.source for episode in drawn(family)} == {"two.jsonl"}
    assert {e.text.split()[0] for episode in drawn(family, "train") for e in episode.support} == {"one"}


# Pairs


def test_pairs_are_split_by_their_rows() -> None:
    family = TextPairs(pairs(), 3, 2)
    side = {(row["text_a"], row["text_b"]): row["split"] for row in pairs()}
    for name, value in (("train", "train"), ("valid", "dev"), ("test", "test")):
        found = {side[e.text, e.text_pair] for episode in drawn(family, name) for e in episode.support}  # type: ignore[arg-type]
        assert found == {value}


def test_without_validation_rows_a_fifth_of_the_training_rows_is_held_out() -> None:
    data = [row | {"split": "test" if row["split"] == "test" else "train"} for row in pairs()]
    family = TextPairs(data, 2, 2)
    texts = {side: {t for p in family.split(side).pools() for t in p.texts()} for side in SIDES}
    assert len(texts["valid"]) == pytest.approx(0.2 * (len(texts["train"]) + len(texts["valid"])), abs=2)
    assert not texts["valid"] & texts["train"]


# Published support sets


def test_episodes_are_the_published_ones_in_turn() -> None:
    data = published()
    family = PublishedEpisodes(data, 2, 3)
    found = drawn(family, count=12)
    names = sorted({row["task"] for row in data})
    for index, episode in enumerate(found):
        task, number = names[index % 4], str(index // 4)
        own = {row["text"] for row in data if row["task"] == task and row["episode"] == number}
        assert {example.text for example in episode.support} == own
        asked = {row["text"] for row in data if row["task"] == task and row["episode"] is None}
        assert {example.text for example in episode.query} <= asked
        assert Counter(example.label for example in episode.query) == {"no": 3, "yes": 3}


def test_a_task_without_evaluation_rows_is_asked_about_its_other_sets() -> None:
    data = [row for row in published() if not (row["task"] == "mood" and row["episode"] is None)]
    family = PublishedEpisodes(data, 2, 3, reading=Reading(only={"task": ["mood"]}))
    for episode in drawn(family, count=6):
        assert not {e.text for e in episode.support} & {e.text for e in episode.query}
        assert Counter(example.label for example in episode.query) == {"no": 3, "yes": 3}


# Queries from outside


def test_queries_from_outside_are_disjoint_between_the_sides() -> None:
    family = OutOfScope(OUTSIDE, 2, 3, 2, 4)
    texts = [{e.text for episode in drawn(family, side) for e in episode.outside} for side in SIDES]
    assert all(len(episode.outside) == 4 for episode in drawn(family))
    assert [len(own) for own in texts] == [20, 20, 20]
    assert not (texts[0] & texts[1])
    assert not (texts[0] & texts[2])
    assert not (texts[1] & texts[2])
    assert all(e.label == "oos" for episode in drawn(family) for e in episode.outside)


# Masked words


def test_the_word_is_masked_and_is_the_class() -> None:
    data = sentences()
    family = MaskedWords(data, 2, 3, 2)
    texts = {row["text"] for row in data}
    for episode in drawn(family, "train"):
        for example in episode.support + episode.query:
            assert "[MASK]" in example.text
            assert example.label not in example.text.split()
            assert example.text.replace("[MASK]", example.label) in texts


def test_words_and_texts_are_disjoint_between_the_sides() -> None:
    family = MaskedWords(sentences(), 2, 3, 2)
    found = {}
    for side in SIDES:
        own = [e for episode in drawn(family, side) for e in episode.support + episode.query]
        found[side] = {e.label for e in own}, {e.text.replace("[MASK]", e.label) for e in own}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert not found[one][0] & found[other][0]  # type: ignore[index]
        assert not found[one][1] & found[other][1]  # type: ignore[index]


# Views


def test_the_same_text_is_asked_either_way() -> None:
    family = Views(views(), "thing", way=2, shot=3, queries=2, split=THIRDS)
    asked: dict[str, set[str]] = {}
    for episode in drawn(family, "train", 200):
        for example in episode.query:
            asked.setdefault(example.text, set()).add(episode.source.split("/")[-1])
    assert sum(found == {"label", "thing"} for found in asked.values()) > 0.9 * len(asked)


def test_examples_of_a_value_are_spread_over_the_other_view() -> None:
    family = Views(views(), "thing", way=2, shot=2, queries=2, split=THIRDS)
    for episode in drawn(family, "train", 100):
        if episode.source.endswith("/thing"):
            for label in episode.classes:
                moods = [e.text.split()[1] for e in episode.support + episode.query if e.label == label]
                assert Counter(moods) == {"good": 2, "bad": 2}


# Records


def test_the_label_of_a_record_is_its_output() -> None:
    known = {(row["input"], row["output"]) for row in records()}
    for episode in drawn(Records(records(), 3, 4)):
        assert episode.classes == ()
        assert (len(episode.support), len(episode.query)) == (3, 4)
        assert {(e.text, e.label) for e in episode.support + episode.query} <= known


def test_a_wrong_pair_has_the_output_of_another_record_of_its_task() -> None:
    known = {(row["input"], row["output"]) for row in records()}
    outputs = {row["output"] for row in records()}
    for episode in drawn(Matching(records(), 3, 2)):
        for example in episode.support + episode.query:
            assert ((example.text, example.text_pair) in known) == (example.label == "match")
            assert example.text_pair in outputs
        assert Counter(e.label for e in episode.support) == {"match": 3, "other": 3}


def test_a_side_that_is_not_there_is_named() -> None:
    family = TextPairs([row for row in pairs() if row["split"] != "test"], 2, 2)
    with pytest.raises(InputError, match="the split has no test classes"):
        family.split("test")


def test_columns_may_have_other_names() -> None:
    data = [{"q": row["text"], "kind": row["label"]} for row in rows(TWELVE)]
    family = VariableWayShot(data, 2, 3, 20, 5, 3, columns=Columns("q", "kind"))
    assert np.mean([episode.way for episode in drawn(family)]) > 2


# What a reader of these families found


def test_a_text_with_two_labels_is_not_learned_from_and_asked_about() -> None:
    data = [{"text": f"x{n}", "label": label} for n in range(12) for label in "abcd"]
    split = ClassSplit(lists={"train": list("abcd")})
    for episode in drawn(NWayKShot(data, 2, 3, 2, split=split), "train", 100):
        assert not {e.text for e in episode.support} & {e.text for e in episode.query}
        assert Counter(example.label for example in episode.query) == dict.fromkeys(episode.classes, 2)


def test_words_that_always_stand_together_are_not_asked_together() -> None:
    data = [
        {"text": f"Hong Kong {noun} {n} alone", "label": "t"}
        for n in range(40)
        for noun in ("river", "tower")
    ]
    family = MaskedWords(data, 2, 2, 2, split=ClassSplit(fractions=(1.0, 0.0, 0.0)))
    for episode in drawn(family, "train", 100):
        assert Counter(e.label for e in episode.support) == dict.fromkeys(episode.classes, 2)
        assert Counter(e.label for e in episode.query) == dict.fromkeys(episode.classes, 2)


def test_a_word_beside_a_digit_is_none() -> None:
    data = [{"text": f"covid{n} was here and gone{n} away {n}", "label": "t"} for n in range(60)]
    family = MaskedWords(data, 2, 2, 2, split=ClassSplit(fractions=(1.0, 0.0, 0.0)))
    for episode in drawn(family, "train", 50):
        assert not {"covid", "gone"} & set(episode.classes)
        assert all("[MASK]" in example.text for example in episode.support + episode.query)


def test_a_text_under_two_views_fills_a_class_once() -> None:
    data = [{"text": f"{c} {n}", "label": c, "view": v} for c in "ab" for n in range(4) for v in "xy"]
    family = Views(data, "view", way=2, shot=3, queries=3, split=ClassSplit(lists={"train": ["x", "y"]}))
    with pytest.raises(InputError, match="its classes share too many texts"):
        drawn(family, "train", 20)


def test_a_class_that_is_held_out_in_one_corpus_is_trained_on_in_none() -> None:
    one, two = named("one"), named("two")
    family = CrossDomain([one, two], [named("three", "k")], way=2, shot=3, queries=2, seed=1)
    labels = {side: {c for cs in family.split(side).classes().values() for c in cs} for side in SIDES}
    assert not labels["train"] & labels["valid"]
    assert len(labels["valid"]) >= 2


def test_frames_in_memory_are_told_apart() -> None:
    one, two = rows(["a", "b", "c", "d"]), rows(["p", "q", "r", "s"])
    split = ClassSplit(fractions=(0.5, 0.0, 0.5))
    assert len(Mixture([one, two], 2, 2, 2, split=split).split("train").classes()) == 2
    family = CrossDomain([one], [two], valid=[rows(["x", "y"])], way=2, shot=2, queries=2)
    assert {c for episode in drawn(family) for c in episode.classes} <= set("pqrs")


def test_validation_domains_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{domain}.t{n}" for domain in ("book", "toy", "film", "shoe", "food") for n in (2, 4)]
    folder = tmp_path / "reviews"
    folder.mkdir()
    (folder / "data.jsonl").write_text("\n".join(json.dumps(row) for row in tasks(names)))
    lists = {"train": names[:8], "test": names[8:]}
    (folder / "splits.json").write_text(json.dumps({"kind": "instance", "task_split": lists}))
    family = Domains(str(folder), 2, 2, valid_tasks=3)
    domains = [{p.name.split("/")[-1].split(".")[0] for p in family.split(side).pools()} for side in SIDES]
    assert [len(own) for own in domains] == [2, 2, 1]
    assert not domains[0] & domains[1]


def test_no_output_of_an_input_is_shown_as_wrong() -> None:
    data = [
        {"task": t, "input": f"in {n}", "output": f"out {n % 9} {k}"}
        for t in "abcd"
        for n in range(30)
        for k in (1, 2)
    ]
    known = {(row["input"], row["output"]) for row in data}
    for episode in drawn(Matching(data, 3, 2)):
        for example in episode.support + episode.query:
            assert ((example.text, example.text_pair) in known) == (example.label == "match")


def test_empty_cells_of_a_further_column_are_gaps(tmp_path: Path) -> None:
    table = "task,text,label,episode,shots\n" + "".join(
        f"{row['task']},{row['text']},{row['label']},{row['episode'] or ''},{row['shots'] or ''}\n"
        for row in published()
    )
    (tmp_path / "p.csv").write_text(table)
    family = PublishedEpisodes(str(tmp_path / "p.csv"), 2, 3)
    assert all("asked" in e.text for episode in drawn(family, count=8) for e in episode.query)


def test_a_low_temperature_is_no_overflow() -> None:
    family = Mixture([named("one"), named("two", "k")], 2, 3, 2, temperature=0.01)
    assert len(drawn(family, "train", 5)) == 5


def test_queries_from_outside_are_one_at_least() -> None:
    with pytest.raises(InputError, match="outside is too small"):
        OutOfScope(OUTSIDE, 2, 3, 2, outside=-1)

"""Families whose answers are texts: what they draw."""

import pytest
from tasks.made import inflections, turns

from fewshot.data.split import SIDES, ClassSplit, Side
from fewshot.errors import InputError
from fewshot.tasks.dialogue import Dialogue, replies
from fewshot.tasks.family import episodes
from fewshot.tasks.inflections import Inflections
from fewshot.tasks.strings import FORMS, ORDERS, TASKS, StringTasks, tasks_of

HALVES = ClassSplit(fractions=(0.5, 0.25, 0.25))


def test_held_out_string_tasks_are_made_of_known_parts() -> None:
    sides = {side: set(tasks_of(side)) for side in SIDES}
    assert set.union(*sides.values()) == set(TASKS)
    assert sum(map(len, sides.values())) == len(TASKS), "no task on two sides"
    assert {order for order, _ in sides["train"]} == set(ORDERS)
    assert {form for _, form in sides["train"]} == set(FORMS)


def test_no_two_string_tasks_do_the_same() -> None:
    words = ["one", "two", "three", "four"]
    done = {task: tuple(FORMS[task[1]](ORDERS[task[0]](words[:n])) for n in (3, 4)) for task in TASKS}
    assert len(set(done.values())) == len(TASKS)


def test_a_string_task_is_one_rule() -> None:
    for episode in episodes(StringTasks(3, 4), "test", 0, range(20)):
        order, form = episode.source.removeprefix("strings/").rsplit(", ", 1)
        for example in episode.support + episode.query:
            assert example.label == FORMS[form](ORDERS[order](example.text.split()))
        assert len({example.text for example in episode.support + episode.query}) == 7


@pytest.mark.parametrize("sizes", [{"shot": 0}, {"queries": 101}])
def test_sizes_out_of_range_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(InputError, match="is out of range"):
        StringTasks(**sizes)


def test_a_reply_follows_the_turns_before_it() -> None:
    said = [
        {"label": who, "text": text, "conversation": talk}
        for talk, who, text in (
            ("1", "Ann", "hello"),
            ("1", "Bo", "hi"),
            ("1", "Ann", "how are you"),
            ("1", "Bo", "fine"),
            ("2", "Bo", "bye"),
            ("2", "Ann", "so long"),
        )
    ]
    found = [(talk, e.text, e.label, e.text_pair) for talk, e in replies(said, "conversation", 2)]
    assert found == [
        ("1", "Ann: hello", "Bo", "hi"),
        ("1", "Ann: hello\nBo: hi", "Ann", "how are you"),
        ("1", "Bo: hi\nAnn: how are you", "Bo", "fine"),
        ("2", "Bo: bye", "Ann", "so long"),
    ]


def test_an_episode_is_of_one_speaker() -> None:
    family = Dialogue(turns(), 3, 4, split=HALVES)
    for episode in episodes(family, "test", 0, range(5)):
        person = episode.source.split("/")[-1]
        assert person.startswith("person")
        assert not episode.classes
        assert all("turn" in example.label for example in episode.support)


def test_no_query_reply_stands_in_a_support_context() -> None:
    """Every turn says which conversation it is of."""
    rows = [
        {"conversation": talk, "speaker": f"person {n % 2}", "text": f"turn {n} of {talk}"}
        for talk in range(8)
        for n in range(6)
    ]
    family = Dialogue(rows, 4, 5, split=ClassSplit(lists={"train": ["person 0"], "test": ["person 1"]}))
    for episode in episodes(family, "test", 0, range(30)):
        learned, asked = (
            {example.label.split()[-1] for example in side} for side in (episode.support, episode.query)
        )
        assert not learned & asked
        assert len({example.text for example in episode.support + episode.query}) == 9
    with pytest.raises(InputError, match="too few replies in different conversations"):
        Dialogue(rows, 4, 19, split=ClassSplit(lists={"train": ["person 0"], "test": ["person 1"]}))


def test_a_dialogue_without_context_or_speakers_is_refused() -> None:
    from fewshot.data.find import Columns

    with pytest.raises(InputError, match=r"family\.context is too small"):
        Dialogue(turns(), context=0)
    with pytest.raises(InputError, match="needs its speakers"):
        Dialogue(turns(), columns=Columns(label=None))
    with pytest.raises(InputError, match="conversations"):
        Dialogue(turns(), conversation="conversations")


def test_an_inflection_is_one_form_of_one_language() -> None:
    seen: dict[str, set[str]] = {}
    for side in SIDES:
        for episode in episodes(Inflections(inflections(), 3, 4), side, 0, range(20)):
            language, features = episode.source.split("/")[-1].split(" ")
            seen.setdefault(side, set()).add(language)
            for example in episode.support + episode.query:
                assert example.label == example.text + {"N;PL": "s", "N;GEN": "i"}[features]
                assert example.text.startswith(language), "the lemma alone is read"
    assert sum(map(len, seen.values())) == 6, "no language on two sides"


def test_the_languages_of_a_side_do_not_depend_on_the_shots() -> None:
    """Else a run that is evaluated with other shots could be asked for languages of its training."""
    short = [
        {"task": language, "input": f"{language} {n} N;PL", "output": f"{language} {n}s"}
        for language in ("Gnu", "Hen", "Ibex", "Jay", "Kid", "Lion")
        for n in range(8)
    ]

    def languages(side: Side, shot: int) -> set[str]:
        pools = Inflections([*inflections(), *short], shot, 4, split=HALVES).split(side).pools()
        return {pool.classes[0].split(" ")[0] for pool in pools}

    few, more = ({side: languages(side, shot) for side in SIDES} for shot in (3, 8))
    assert all(more[side] <= few[side] for side in SIDES)
    assert sum(map(len, few.values())) == 12
    assert sum(map(len, more.values())) == 6


@pytest.mark.parametrize(("copies", "asked"), [(12, False), (6, False), (5, True)])
def test_a_form_that_is_mostly_the_lemma_is_not_asked_for(copies: int, asked: bool) -> None:
    copied = [
        {"task": "Ape", "input": f"Ape {n} N;SG", "output": f"Ape {n}" + ("" if n < copies else "o")}
        for n in range(12)
    ]
    split = ClassSplit(lists={"train": ["Ape"], "test": ["Bee"]})
    pools = Inflections([*inflections(), *copied], 3, 4, split=split).split("train").pools()
    assert any("N;SG" in pool.name for pool in pools) == asked


def test_what_reading_left_out_is_said_of_inflections() -> None:
    family = Inflections([*inflections(), *inflections()[:20]], 3, 4)
    counts = [pool.cleaned for pool in family.split("train").pools()]
    assert all(each == {"left out: repeated": 20} for each in counts)


def test_features_are_the_last_word() -> None:
    spread = [
        {"task": language, "input": f"give up {n}  V;PST", "output": f"gave up {n}"}
        for language in ("Ape", "Bee")
        for n in range(8)
    ]
    family = Inflections(spread, 3, 4, split=ClassSplit(lists={"train": ["Ape"], "test": ["Bee"]}))
    (episode,) = episodes(family, "train", 0, range(1))
    assert episode.source == "memory/Ape V;PST"
    assert all(example.text.replace("give", "gave") == example.label for example in episode.query)


def test_a_lemma_with_two_forms_stands_once_in_a_cell() -> None:
    twice = [*inflections(), {"task": "Ape", "input": "Ape 3 N;PL", "output": "Ape 3es"}]
    family = Inflections(twice, 3, 9, split=ClassSplit(lists={"train": ["Ape"], "test": ["Bee"]}))
    for episode in episodes(family, "train", 0, range(5)):
        drawn = episode.support + episode.query
        assert len({example.text for example in drawn}) == 12
        assert "Ape 3es" not in {example.label for example in drawn}


@pytest.mark.parametrize(
    ("rows", "sizes", "said"),
    [
        (inflections(), (0, 4), "shot is too small"),
        (
            inflections(),
            (3, 10),
            r"no cell of a paradigm has enough .* on the train side\n.*\n.*most 12, in 3",
        ),
        (
            [{"task": "Ape", "input": "ape", "output": "apes"}],
            (3, 4),
            r"an input has no features\n.*\n.*'ape'",
        ),
    ],
)
def test_inflections_that_cannot_be_drawn_are_refused(
    rows: list[dict[str, str]], sizes: tuple[int, int], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        Inflections(rows, *sizes)

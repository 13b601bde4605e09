"""The search space: how its lines are read, what is drawn from it, and all that can be wrong with it."""

import copy
import math
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from jsonargparse import ArgumentParser
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy import stats

from fewshot.algorithms.algorithms import BASELINES
from fewshot.choice import CLASSES
from fewshot.cli import main
from fewshot.config import add_parts, parse, parse_values, values
from fewshot.errors import InputError
from fewshot.search import command
from fewshot.search.reading import class_named, read_space
from fewshot.search.settings import Search
from fewshot.search.space import Space, value_in
from fewshot.search.study import make_sampler

Content = Mapping[str, Any]
FORMS = "[low, high], [low, high, log], {low: , high: , step: , log: } or {choices: [...]}"
CHOICE = "a choice has one value or more, and nothing beside them: {choices: [...]}"


@pytest.fixture(scope="module")
def base() -> dict[str, Any]:
    """The default configuration."""
    return configured()


def configured(*words: str) -> dict[str, Any]:
    """The configuration of a command line."""
    parser = ArgumentParser(prog="fewshot", exit_on_error=False)
    add_parts(parser)
    return values(parser, parse(parser, words))


def again(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the parser makes of a configuration, with every default."""
    return named(values(*parse_values(config)))


def named(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with one name for each class."""
    made = copy.deepcopy(dict(config))
    for group in CLASSES:
        kind = pkgutil.resolve_name(made[group]["class_path"])
        made[group]["class_path"] = f"{kind.__module__}.{kind.__qualname__}"
    return made


def algorithm_of(config: Mapping[str, Any]) -> Any:
    """The algorithm that a configuration builds."""
    made = again(config)["algorithm"]
    return pkgutil.resolve_name(made["class_path"])(**made.get("init_args", {}))


def one(content: Any, base: Content, key: str = "training.lr") -> BaseDistribution:
    (parameter,) = read_space({key: content}, base).parameters
    assert (parameter.name, parameter.key, parameter.when) == (key, key, None)
    return parameter.distribution


def drawn_by(space: Space, slot: int, settings: Search | None = None, before: int = 0) -> dict[str, Any]:
    """The values of a slot, drawn by a worker that has made so many trials before."""
    study = optuna.create_study()
    for _ in range(before):
        study.ask()
    study.sampler = make_sampler(settings or Search(), slot, space)
    return space.draw(study.ask())


def problems(content: Content, base: Content) -> list[str]:
    """The lines of the one message that says all that is wrong."""
    with pytest.raises(InputError) as caught:
        read_space(content, base)
    first, where, got, *lines, needed = str(caught.value).splitlines()
    assert first == f"the search space has {len(lines)} error{'s' if len(lines) > 1 else ''}"
    assert (where, got) == ("  where:  search", "  got:    ")
    assert needed == (
        "  needed: arguments of family, model, algorithm and training, each with values to choose from"
    )
    assert all(line.startswith("    ") for line in lines)
    return [line.strip() for line in lines]


# how a line is read


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([1e-4, 1e-2], FloatDistribution(1e-4, 1e-2)),
        ([1, 4], FloatDistribution(1.0, 4.0)),  # the rate is a float, whole ends or not
        ([1e-4, 1, "log"], FloatDistribution(1e-4, 1.0, log=True)),
        ({"low": 1, "high": 4}, FloatDistribution(1.0, 4.0)),
        ({"low": 1e-4, "high": 1, "log": True}, FloatDistribution(1e-4, 1.0, log=True)),
        ({"low": 0, "high": 1, "log": False}, FloatDistribution(0.0, 1.0)),
        ({"low": 0, "high": 1, "step": 0.25}, FloatDistribution(0.0, 1.0, step=0.25)),
        ({"low": 0, "high": 4, "step": 2, "log": False}, FloatDistribution(0.0, 4.0, step=2.0)),
        ({"low": -2.5, "high": -1}, FloatDistribution(-2.5, -1.0)),
        ([0.1, 0.2, 0.3], CategoricalDistribution([0.1, 0.2, 0.3])),
        ([0.1], CategoricalDistribution([0.1])),
        ({"choices": [0.1, 0.2]}, CategoricalDistribution([0.1, 0.2])),
    ],
)
def test_forms_of_a_number(content: Any, expected: BaseDistribution, base: Content) -> None:
    assert one(content, base) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([1, 4], IntDistribution(1, 4)),
        ([-3, 4], IntDistribution(-3, 4)),
        ([1, 64, "log"], IntDistribution(1, 64, log=True)),
        ({"low": 1, "high": 9, "step": 4}, IntDistribution(1, 9, step=4)),
        ({"low": 1, "high": 64, "log": True}, IntDistribution(1, 64, log=True)),
        ([0.5, 4], FloatDistribution(0.5, 4.0)),  # the parser says that this is no whole number
        ([1, 2, 4], CategoricalDistribution([1, 2, 4])),
        ({"choices": [1, 2]}, CategoricalDistribution([1, 2])),
    ],
)
def test_whole_numbers_stay_whole_unless_the_default_is_a_float(
    content: Any, expected: BaseDistribution, base: Content
) -> None:
    assert one(content, base, "training.steps") == expected  # 60
    assert one(content, base, "model.lora.rank") == expected  # 8, in a group of settings
    assert one(content, base, "family.mentions") == expected  # null
    assert one(content, base, "training.tasks_at_once") == expected  # 'auto'


def test_a_float_default_of_the_user_makes_floats(base: Content) -> None:
    changed = configured("--algorithm=MAML", "--algorithm.anchor=1")
    assert one([1, 4], changed, "algorithm.anchor") == FloatDistribution(1.0, 4.0)


def test_a_step_that_does_not_end_at_the_end_stops_before_it(base: Content) -> None:
    assert one({"low": 1, "high": 10, "step": 4}, base, "training.steps") == IntDistribution(1, 9, step=4)
    found = one({"low": 0, "high": 1, "step": 0.4}, base)
    assert found == FloatDistribution(0.0, 0.8, step=0.4)


def test_a_step_as_wide_as_its_range_may_be_a_rounding_wider(base: Content) -> None:
    assert 0.2 > 0.3 - 0.1
    found = one({"low": 0.1, "high": 0.3, "step": 0.2}, base)
    assert found == FloatDistribution(0.1, 0.3, step=0.2)


@pytest.mark.parametrize(
    ("key", "choices"),
    [
        ("training.schedule", ["cosine", "linear"]),
        ("model.lora.modules", [["query"], ["query", "value"]]),
        ("family.mentions", [None, 3, 4]),
        ("model.cache", [None, {"memory_gb": 0.5, "projections": False}]),
        ("algorithm.learn_inner_lr", [True, False]),
        ("training.tasks_at_once", ["auto", 1, 2]),
        ("model.lora.layers", ["log", "last:1"]),
    ],
)
def test_choices_of_anything_come_back_as_they_were(key: str, choices: list[Any], base: Content) -> None:
    (parameter,) = read_space({key: choices}, base).parameters
    assert isinstance(parameter.distribution, CategoricalDistribution)
    names = parameter.distribution.choices
    assert [parameter.value(name) for name in names] == choices
    assert [parameter.drawn(value) for value in choices] == list(names)
    assert all(name is None or isinstance(name, bool | int | float | str) for name in names)  # Optuna's types
    assert read_space({key: {"choices": choices}}, base).parameters == (parameter,)


def test_only_the_word_log_makes_three_a_range(base: Content) -> None:
    assert one([1, 4, "Log"], base) == CategoricalDistribution([1, 4, "Log"])
    assert one([1, "log"], base) == CategoricalDistribution([1, "log"])
    assert one([True, 4], base) == CategoricalDistribution([True, 4])


# classes


def test_classes_come_first_wherever_they_stand(base: Content) -> None:
    content = {"training.lr": [0.1, 1], "algorithm.inner_lr": [0.1, 1], "algorithm": ["MAML", "ANIL"]}
    space = read_space(content, base)
    assert [parameter.name for parameter in space.parameters] == [
        "algorithm", "training.lr", "algorithm.inner_lr",
    ]  # fmt: skip


def test_each_class_has_a_space_of_its_own(base: Content) -> None:
    content = {"algorithm": {"MAMLAdam": {"inner_lr": [1e-3, 1e-1, "log"], "order": [1, 2, 3]}, "ridge": {}}}
    space = read_space(content, base)
    assert [(each.name, each.key) for each in space.parameters] == [
        ("algorithm", "algorithm"),
        ("algorithm.MAMLAdam.inner_lr", "algorithm.inner_lr"),
        ("algorithm.MAMLAdam.order", "algorithm.order"),
    ]
    drawn = [drawn_by(space, slot) for slot in range(20)]
    assert {tuple(each) for each in drawn} == {
        ("algorithm", "algorithm.MAMLAdam.inner_lr", "algorithm.MAMLAdam.order"),
        ("algorithm",),
    }
    assert all((len(each) == 3) == (each["algorithm"] == "MAMLAdam") for each in drawn)


def test_an_empty_space_of_a_class_may_be_left_out(base: Content) -> None:
    listed = read_space({"algorithm": ["MAML", "ridge"]}, base).parameters
    assert read_space({"algorithm": {"MAML": None, "ridge": {}}}, base).parameters == listed


def test_an_argument_beside_a_list_is_that_of_the_classes_that_have_it(base: Content) -> None:
    content = {"algorithm": ["MAML", "ridge", "R2D2"], "algorithm.inner_lr": [1e-3, 1, "log"]}
    content["algorithm.strength"] = [0.01, 1, "log"]
    space = read_space(content, base)
    for slot in range(20):
        drawn = drawn_by(space, slot)
        of = "algorithm.inner_lr" if drawn["algorithm"] == "MAML" else "algorithm.strength"
        assert list(drawn) == ["algorithm", of]


def test_an_argument_of_settings_in_the_space_of_a_class(base: Content) -> None:
    content = {"model": {"LoraEncoder": {"lora.rank": [2, 4, 8]}, "LstmEncoder": {"hidden": [16, 64]}}}
    space = read_space(content, base)
    made = space.config(base, {"model": "LoraEncoder", "model.LoraEncoder.lora.rank": 4})
    assert again(made)["model"]["init_args"]["lora"]["rank"] == 4
    made = space.config(base, {"model": "LstmEncoder", "model.LstmEncoder.hidden": 17})
    assert again(made)["model"]["init_args"]["hidden"] == 17


@pytest.mark.parametrize("name", [*BASELINES])
def test_baselines_have_names_too(name: str, base: Content) -> None:
    made = read_space({"algorithm": [name, "MAML"]}, base).config(base, {"algorithm": name})
    built, expected = algorithm_of(made), BASELINES[name]()
    assert type(built) is type(expected)
    plain = (bool, int, float, str)
    for attribute, value in vars(expected).items():
        if isinstance(value, plain) and attribute != "training":
            assert getattr(built, attribute) == value, attribute


@pytest.mark.parametrize("group", CLASSES)
def test_every_known_class_is_found(group: str) -> None:
    for name, kind in CLASSES[group].items():
        found = class_named(group, name)
        assert found is not None
        assert found[1] is kind


def test_the_outer_loop_is_searched_for_what_is_trained_alone(base: Content) -> None:
    space = read_space({"algorithm": ["MAML", "ridge"], "training.lr": [1e-3, 1, "log"]}, base)
    for slot in range(20):
        drawn = drawn_by(space, slot)
        assert ("training.lr" in drawn) == (drawn["algorithm"] == "MAML")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A class of the user's, by its import path."""
    (tmp_path / "mine_of_space.py").write_text(
        "from fewshot.algorithms.maml import MAML\n\n"
        "class Mine(MAML):\n"
        "    def __init__(self, bonus: float = 0.5, inner_steps: int = 2):\n"
        "        super().__init__(inner_steps=inner_steps)\n"
        "        self.bonus = bonus\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "mine_of_space.Mine"


def test_a_class_of_the_users_by_import_path(mine: str, base: Content) -> None:
    space = read_space({"algorithm": {mine: {"bonus": [1, 3]}, "MAML": {}}}, base)
    made = space.config(base, {"algorithm": mine, f"algorithm.{mine}.bonus": 2.5})
    built = algorithm_of(made)
    assert (type(built).__name__, built.bonus, built.inner_steps) == ("Mine", 2.5, 2)
    assert (
        "algorithm.inner_lr: unknown"
        in problems({"algorithm": [mine], "algorithm.inner_lr": [0, 1]}, base)[0]
    )


# draws in the configuration


def test_a_draw_stands_in_its_place_and_nothing_else_changes(base: Content) -> None:
    content = {
        "family.way": [2, 5],
        "model.lora.rank": [4, 16],
        "model.lora.modules": [["query"], ["value"]],
        "algorithm.inner_lr": [1e-3, 1, "log"],
        "training.lr": [1e-3, 1],
    }
    chosen = {
        "family.way": 3, "model.lora.rank": 5, "model.lora.modules": '["value"]',
        "algorithm.inner_lr": 0.25, "training.lr": 0.125,
    }  # fmt: skip
    kept = copy.deepcopy(dict(base))
    made = read_space(content, base).config(base, chosen)
    assert base == kept
    expected = copy.deepcopy(dict(base))
    expected["family"]["init_args"]["way"] = 3
    expected["model"]["init_args"]["lora"] |= {"rank": 5, "modules": ["value"]}
    expected["algorithm"]["init_args"]["inner_lr"] = 0.25
    expected["training"]["lr"] = 0.125
    assert made == expected


def test_settings_that_are_not_there_by_default_are_made(base: Content) -> None:
    changed = configured("--model.cache=null")
    space = read_space({"model.cache.memory_gb": [0.5, 2.0]}, changed)
    assert again(space.config(changed, {"model.cache.memory_gb": 1.5}))["model"]["init_args"]["cache"] == (
        base["model"]["init_args"]["cache"] | {"memory_gb": 1.5}
    )


def test_another_class_begins_with_its_own_defaults(base: Content) -> None:
    changed = configured("--algorithm.inner_steps=7")
    space = read_space({"algorithm": ["MAMLAdam", "MAML", "ridge"]}, changed)
    found = again(space.config(changed, {"algorithm": "MAML"}))["algorithm"]["init_args"]
    assert found == configured("--algorithm=MAML")["algorithm"]["init_args"]
    assert found["inner_steps"] == 3


def test_the_class_of_the_configuration_keeps_what_the_user_has_set(base: Content) -> None:
    changed = configured("--algorithm.inner_steps=7", "--model.backbone=some/model")
    space = read_space(
        {"algorithm": ["MAML", "MAMLAdam"], "model": {"LoraEncoder": {"lora.rank": [2, 16]}}}, changed
    )
    chosen = {"algorithm": "MAMLAdam", "model": "LoraEncoder", "model.LoraEncoder.lora.rank": 3}
    made = again(space.config(changed, chosen))
    assert made["algorithm"]["init_args"]["inner_steps"] == 7
    assert made["model"]["init_args"]["backbone"] == "some/model"
    assert made["model"]["init_args"]["lora"]["rank"] == 3


def test_the_default_inside_of_the_space(base: Content) -> None:
    content = {
        "algorithm": {"ridge": {}, "MAMLAdam": {"inner_lr": [1e-3, 1, "log"]}},
        "model.lora.modules": [["query"], ["query", "value", "dense"]],
        "family.mentions": [2, None],
        "algorithm.learn_inner_lr": [False, True],
        "training.steps": [10, 100],
        "training.warmup": {"low": 0, "high": 1, "step": 0.1},
    }
    assert read_space(content, base).default(base) == {
        "algorithm": "MAMLAdam",
        "algorithm.MAMLAdam.inner_lr": 0.003,
        "model.lora.modules": '["query", "value", "dense"]',
        "family.mentions": None,
        "algorithm.learn_inner_lr": True,
        "training.steps": 60,
        "training.warmup": 0.1,
    }


@pytest.mark.parametrize(
    "content",
    [
        {"training.lr": [0.1, 1]},
        {"training.lr": [1e-5, 1e-4, "log"]},
        {"training.steps": {"low": 1, "high": 101, "step": 10}},  # 60 is not among 1, 11, ...
        {"training.steps": [1, 2, 4]},
        {"training.schedule": ["linear", "constant"]},
        {"family.mentions": [2, 4]},  # null
        {"model.lora.modules": [["query"], ["value"]]},
        {"training.tasks_at_once": [1, 4]},  # 'auto'
        {"algorithm": ["MAML", "ridge"]},
        {"algorithm": {"MAMLAdam": {"inner_lr": [0.1, 1]}, "ridge": {}}},
        {"training.clip": [0.5, 2.0], "training.lr": [0.1, 1]},  # one of two
    ],
)
def test_the_default_outside_of_the_space(content: Content, base: Content) -> None:
    assert read_space(content, base).default(base) is None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--algorithm.inner_steps=7"],
        ["--algorithm=MAML", "--algorithm.inner_steps=7", "--algorithm.inner_lr=0.5"],
        ["--algorithm=fewshot.algorithms.ridge.FrozenRidge", "--algorithm.strength=3"],
        ["--algorithm=fewshot.algorithms.prototypes.FrozenPrototypes", "--algorithm.metric=euclidean"],
        ["--model.backbone=some/model", "--model.lora.rank=3"],
    ],
)
def test_the_default_is_the_configuration_itself(words: list[str]) -> None:
    changed = configured(*words)
    names = ["prototypes", "prototypes-euclidean", "MAML", "MAMLAdam", "ridge"]
    content = {"algorithm": names, "algorithm.inner_lr": [1e-3, 1.0], "model": ["LstmEncoder", "LoraEncoder"]}
    space = read_space(content, changed)
    default = space.default(changed)
    assert default is not None
    assert again(space.config(changed, default)) == named(changed)


def test_the_name_that_fits_best_is_the_default() -> None:
    words = ["--algorithm=fewshot.algorithms.prototypes.FrozenPrototypes", "--algorithm.metric=euclidean"]
    changed = configured(*words)
    for names in (["prototypes", "prototypes-euclidean"], ["prototypes-euclidean", "prototypes"]):
        assert read_space({"algorithm": names}, changed).default(changed) == {
            "algorithm": "prototypes-euclidean"
        }


def test_where_a_value_stands(base: Content) -> None:
    assert value_in(base, "training.lr") == 0.003
    assert value_in(base, "model.lora.rank") == 8
    for key in ("algorithm.strength", "model.lora.rnk", "model.backbone.name", "training.lr.x"):
        with pytest.raises(LookupError):
            value_in(base, key)


# grids


def test_a_grid_has_every_combination(base: Content) -> None:
    content = {"training.lr": {"choices": [0.1, 0.2]}, "model.lora.modules": [["query"], ["value"]]}
    content["training.schedule"] = ["linear"]
    points = list(read_space(content, base).grid())
    assert points == [
        {"training.lr": rate, "model.lora.modules": modules, "training.schedule": "linear"}
        for rate in (0.1, 0.2)
        for modules in ('["query"]', '["value"]')
    ]


def test_a_grid_has_what_depends_on_a_class_for_that_class_alone(base: Content) -> None:
    content = {
        "algorithm": {
            "MAML": {"order": {"choices": [1, 2]}},
            "ridge": {"strength": [0.1, 1, 10]},
            "R2D2": {},
        },
        "algorithm.inner_lr": {"choices": [0.1, 0.2]},
        "family.way": [3, 4, 5],
    }
    points = list(read_space(content, base).grid())
    expected = [
        {"algorithm": "MAML", "algorithm.MAML.order": order, "algorithm.inner_lr": rate, "family.way": way}
        for order in (1, 2)
        for rate in (0.1, 0.2)
        for way in (3, 4, 5)
    ]
    expected += [
        {"algorithm": "ridge", "algorithm.ridge.strength": strength, "family.way": way}
        for strength in (0.1, 1, 10)
        for way in (3, 4, 5)
    ]
    expected += [{"algorithm": "R2D2", "family.way": way} for way in (3, 4, 5)]
    assert points == expected


def test_a_grid_has_no_ranges(base: Content) -> None:
    content = {"training.lr": [0.1, 1], "family.way": [3, 4, 5], "training.clip": [1, 2]}
    with pytest.raises(InputError) as caught:
        read_space(content, base).grid()
    assert str(caught.value) == (
        "a grid has choices alone\n"
        "  where:  search\n"
        "  got:    ranges: training.lr, training.clip\n"
        "  needed: {choices: [...]} for each of them\n"
        "  do:     list their values, or take --sampler random"
    )


# what is wrong


WRONG = [
    (0.1, f"0.1 is no range and no choice; write {FORMS}"),
    ("log", f"'log' is no range and no choice; write {FORMS}"),
    (None, f"None is no range and no choice; write {FORMS}"),
    ([], CHOICE),
    ({"choices": []}, CHOICE),
    ({"choices": "ab"}, CHOICE),
    ({"choices": [1, 2], "low": 1}, CHOICE),
    ({}, f"keys []; write {FORMS}"),
    ({"low": 1}, f"keys ['low']; write {FORMS}"),
    ({"low": 1, "hihg": 2}, f"keys ['hihg', 'low']; write {FORMS}"),
    ({"low": 1, "high": 2, "stp": 1}, f"keys ['high', 'low', 'stp']; write {FORMS}"),
    ([0.1, 0.1], "the range from 0.1 to 0.1 is empty"),
    ([1, 0.1], "the range from 1 to 0.1 is empty"),
    ([2, 1, "log"], "the range from 2 to 1 is empty"),
    ([0, 1, "log"], "a logarithmic range cannot begin at 0: it has no logarithm"),
    ([-1, 1, "log"], "a logarithmic range cannot begin at -1: it has no logarithm"),
    ({"low": 0, "high": 1, "log": True}, "a logarithmic range cannot begin at 0: it has no logarithm"),
    ({"low": 1, "high": "two"}, "the ends 1 and 'two' are not numbers"),
    ({"low": None, "high": 2}, "the ends None and 2 are not numbers"),
    ({"low": True, "high": 2}, "the ends True and 2 are not numbers"),
    ([0.1, math.inf], "the ends 0.1 and inf are not numbers"),
    ([math.nan, 1], "the ends nan and 1 are not numbers"),
    ({"low": 1, "high": 4, "step": 0}, "the step 0 does not fit a range from 1 to 4"),
    ({"low": 1, "high": 4, "step": -1}, "the step -1 does not fit a range from 1 to 4"),
    ({"low": 1, "high": 4, "step": 5}, "the step 5 does not fit a range from 1 to 4"),
    ({"low": 1, "high": 4, "step": "one"}, "the step 'one' does not fit a range from 1 to 4"),
    ({"low": 1, "high": 4, "step": 1, "log": True}, "the step 1 does not fit a range from 1 to 4"),
    ([0.1, 0.2, 0.1], "a value stands in the choices twice"),
    ({"choices": [[1, 2], [1, 2]]}, "a value stands in the choices twice"),
    ({"choices": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}, "a value stands in the choices twice"),
]


@pytest.mark.parametrize(("content", "problem"), WRONG)
def test_what_is_no_line_of_a_space(content: Any, problem: str, base: Content) -> None:
    assert problems({"training.lr": content}, base) == [f"training.lr: {problem}"]
    conditional = {"algorithm": {"MAML": {"inner_lr": content}}}
    assert problems(conditional, base) == [f"algorithm.MAML.inner_lr: {problem}"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("training.lrr", "; did you mean 'training.lr'?"),
        ("Training.lr", "; did you mean 'training.lr'?"),
        ("model.lora.rnak", "; did you mean 'model.lora.rank'?"),
        ("algorithm.iner_lr", "; did you mean 'algorithm.inner_lr'?"),
        ("training", "; did you mean 'training.lr'?"),
        ("lr", ""),
        ("validation.every", ""),  # what trials are judged by is not searched
        ("evaluation.seed", ""),
        ("x", ""),
        ("", ""),
    ],
)
def test_an_unknown_argument_names_the_nearest(key: str, meant: str, base: Content) -> None:
    assert problems({key: [1, 2]}, base) == [f"{key}: unknown{meant}"]


def test_an_argument_of_another_class_is_unknown(base: Content) -> None:
    (found,) = problems({"algorithm.inner_optimiser": ["sgd", "adam"]}, base)  # of MAML, not of MAMLAdam
    assert found.startswith("algorithm.inner_optimiser: unknown")


def test_an_unknown_class_names_the_nearest(base: Content) -> None:
    content = {"algorithm": ["MAML", "rigde", "ProtoMALM"], "model": {"LstmEncodr": {}}, "family": ["qqq"]}
    assert problems(content, base) == [
        "algorithm: unknown class 'rigde'; did you mean 'ridge'?",
        "algorithm: unknown class 'ProtoMALM'; did you mean 'ProtoMAML'?",
        "model: unknown class 'LstmEncodr'; did you mean 'LstmEncoder'?",
        "family: unknown class 'qqq'",
    ]


def test_unknown_classes_come_in_the_order_of_the_file(base: Content) -> None:
    names = ["qa", "qb", "qc", "qd", "qe", "qf"]
    assert problems({"algorithm": names}, base) == [f"algorithm: unknown class {name!r}" for name in names]


@pytest.mark.parametrize(
    "name", ["no_such_module.Mine", "fewshot.Nope", "os.path", "fewshot.score.score", "a b"]
)
def test_what_is_no_class_at_an_import_path(name: str, base: Content) -> None:
    assert problems({"algorithm": [name]}, base) == [f"algorithm: unknown class {name!r}"]


@pytest.mark.parametrize("content", ["MAML", 3, None, [], {}, [{"MAML": {"inner_lr": [0.1, 1]}}, "ridge"]])
def test_what_is_no_choice_of_classes(content: Any, base: Content) -> None:
    assert problems({"algorithm": content}, base) == [
        f"algorithm: {content!r} is neither a list of names nor a space for each"
    ]


def test_a_space_of_a_class_that_is_none(base: Content) -> None:
    content = {"algorithm": {"MAML": [0.1, 1], "ridge": {"strengt": [0.1, 1]}, "ANIL": {"order": [2, 1]}}}
    assert problems(content, base) == [
        "algorithm.MAML: [0.1, 1] is no space; write {} where it has none",
        "algorithm.ridge.strengt: unknown; did you mean 'algorithm.strength'?",
        "algorithm.ANIL.order: the range from 2 to 1 is empty",
    ]


def test_all_that_is_wrong_is_said_at_once(base: Content) -> None:
    content = {
        "training.lr": [0, 1, "log"],
        "training.stesp": [1, 2],
        "training.clip": [1, 2],  # nothing is wrong with this one
        "algorithm": {"MAML": {"inner_lr": 3, "ordr": [1, 2]}, "Mmal": {}},
        "model.lora.rank": [8, 4],
        "validation.every": [1, 2],
    }
    assert problems(content, base) == [
        "algorithm: unknown class 'Mmal'; did you mean 'MAML'?",
        f"algorithm.MAML.inner_lr: 3 is no range and no choice; write {FORMS}",
        "algorithm.MAML.ordr: unknown; did you mean 'algorithm.order'?",
        "training.lr: a logarithmic range cannot begin at 0: it has no logarithm",
        "training.stesp: unknown; did you mean 'training.steps'?",
        "model.lora.rank: the range from 8 to 4 is empty",
        "validation.every: unknown",
    ]


@pytest.mark.parametrize("names", [["ridge", "prototypes"], ["MAMLAdm"]])
def test_an_argument_that_no_class_has_is_not_said_to_mean_itself(names: list[str], base: Content) -> None:
    found = problems({"algorithm": names, "algorithm.inner_lr": [0.1, 1]}, base)
    assert not any("did you mean 'algorithm.inner_lr'" in problem for problem in found)


def test_a_rate_of_the_outer_loop_that_nothing_has_is_refused(base: Content) -> None:
    (found,) = problems({"algorithm": ["ridge", "prototypes"], "training.lr": [0.1, 1]}, base)
    assert found.startswith("training.lr: ")


@pytest.mark.parametrize(
    "content",
    [
        {"algorithm": {"MAML": {"inner_lr": [0.1, 1]}, "ridge": {}}, "algorithm.inner_lr": [0.5, 2]},
        {"model.lora.rank": [2, 4], "model.lora": [{"rank": 8}, {"rank": 16}]},
        {"model.lora": [{"rank": 8}, {"rank": 16}], "model.lora.rank": [2, 4]},
    ],
)
def test_two_lines_for_one_argument_are_refused(content: Content, base: Content) -> None:
    assert problems(content, base)


@pytest.mark.parametrize(
    "content",
    [
        {3: [1, 2]},
        {"training.lr": {"low": 1, 2: 3}},
        {"algorithm": {4: {}, "MAML": {}}},
        {"algorithm": {"MAML": {5: [1, 2]}}},
    ],
)
def test_a_key_that_is_no_word_is_a_problem_like_any_other(content: Content, base: Content) -> None:
    assert problems(content, base)


@pytest.mark.parametrize("content", [{}, None])
def test_nothing_to_search(content: Any, base: Content) -> None:
    with pytest.raises(InputError) as caught:
        read_space(content, base)
    assert str(caught.value) == NOTHING


NOTHING = (
    "there is nothing to search\n"
    "  where:  search\n"
    "  got:    no section `search` in the configuration\n"
    "  needed: arguments and their values, such as search: {algorithm.inner_lr: [1e-3, 1, log]}"
)


# on the command line


Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Runs a search that is refused as wrong input before anything is written; gives the message."""

    def begin(*_: object) -> None:
        raise AssertionError("the search began")

    monkeypatch.setattr(command, "open_storage", begin)

    def run(space: str, *words: str) -> str:
        config = tmp_path / "config.yaml"
        config.write_text(space)
        out = tmp_path / "out"
        code = main(["search", "--config", str(config), *words, "--out", str(out)])
        printed, said = capsys.readouterr()
        assert (code, printed, out.exists()) == (2, "", False), said
        assert said.startswith("error: ")
        return said.removeprefix("error: ").rstrip("\n")

    return run


def test_a_configuration_without_a_space_has_nothing_to_search(refused: Refused) -> None:
    assert refused("training: {steps: 3}\n") == NOTHING


def test_problems_of_a_space_end_the_command(refused: Refused) -> None:
    assert refused("search:\n  training.lrr: [1e-3, 1, log]\n  training.lr: [1e-3, 0, log]\n") == (
        "the search space has 2 errors\n"
        "  where:  search\n"
        "  got:    \n"
        "    training.lrr: unknown; did you mean 'training.lr'?\n"
        "    training.lr: the range from 0.001 to 0 is empty\n"
        "  needed: arguments of family, model, algorithm and training, each with values to choose from"
    )


def test_twelve_problems_are_all_named(refused: Refused) -> None:
    names = [f"training.{letter * 60}" for letter in "abcdefghijkl"]
    said = refused("search:\n" + "".join(f"  {name}: [1, 2]\n" for name in names)).splitlines()
    assert said[0] == "the search space has 12 errors"
    assert [line.split(":")[0].strip() for line in said[3:15]] == names
    values = ", ".join(f"word{number}" for number in range(12))
    wrong = refused(f"search:\n  training.lr: {{choices: [{values}]}}\n").splitlines()
    assert [line.split(": ")[1] for line in wrong[3:15]] == [repr(word) for word in values.split(", ")]


def test_values_of_the_wrong_type_are_all_named(refused: Refused) -> None:
    space = (
        "search:\n"
        "  algorithm: {MAML: {order: [x]}}\n"
        "  training.lr: [0.1, fast]\n"
        "  training.steps: [0.5, 4]\n"
        "  training.schedule: [sine]\n"
        "  training.meta_batch: {low: 1, high: 4, step: 0.5}\n"
        "  family.mentions: [null, many]\n"
    )
    said = refused(space).splitlines()
    assert said[:3] == [
        "the search space has values that their arguments do not take", "  where:  search", "  got:    ",
    ]  # fmt: skip
    assert said[-1] == "  needed: values of the type that `fewshot search --help` shows"
    wrong = [line.strip() for line in said[3:-1]]
    assert [line.split(": ")[:2] for line in wrong] == [
        ["algorithm.MAML.order", "'x'"],
        ["training.lr", "'fast'"],
        ["training.steps", "0.5"],
        ["training.steps", "4.0"],
        ["training.schedule", "'sine'"],
        ["training.meta_batch", "1.0"],
        ["training.meta_batch", "4.0"],
        ["family.mentions", "'many'"],
    ]
    assert "training.lr: 'fast': Expected a <class 'float'>. Got value: fast" in wrong


def test_settings_are_no_numbers(refused: Refused) -> None:
    said = refused("search:\n  model.lora: [1, 3]\n", "--sampler=cmaes")
    assert "    model.lora: " in said


def test_a_class_of_another_part_is_refused(refused: Refused) -> None:
    said = refused("search:\n  algorithm: [MAML, fewshot.Attributes]\n")
    assert (
        "    algorithm: 'fewshot.Attributes': "
        "Import path fewshot.Attributes does not correspond to a subclass of Algorithm\n"
    ) in said


def grid_refusal(trials: int, count: int) -> str:
    return (
        "a grid has its own number of trials\n"
        "  where:  --trials\n"
        f"  got:    {trials}\n"
        f"  needed: the {count} combinations beside the default\n"
        "  do:     leave --trials out, or take --sampler random"
    )


def test_a_grid_has_its_own_number_of_trials(refused: Refused) -> None:
    space = "search:\n  algorithm: {MAML: {order: {choices: [1, 2]}}, ridge: {}}\n"
    assert refused(space, "--sampler=grid", "--trials=4") == grid_refusal(4, 3)


def test_an_argument_that_a_class_cannot_do_without_may_be_searched(refused: Refused) -> None:
    space = "search:\n  family: {NWayKShot: {source: [a.jsonl, b.jsonl]}, Attributes: {}}\n"
    assert refused(space, "--sampler=grid", "--trials=4") == grid_refusal(4, 2)  # which is looked at last


def test_what_a_class_cannot_do_without_may_stand_in_the_configuration(refused: Refused) -> None:
    space = "search:\n  family: [NWayKShot, Attributes]\n"
    words = ["--family=NWayKShot", "--family.source=a.jsonl", "--sampler=grid", "--trials=4"]
    assert refused(space, *words) == grid_refusal(4, 1)


def test_a_class_that_lacks_what_it_cannot_do_without(refused: Refused) -> None:
    said = refused("search:\n  family: [Attributes, NWayKShot]\n")
    assert "    family: 'NWayKShot': " in said
    assert "the following arguments are required: source" in said


def test_cmaes_has_no_choices(refused: Refused) -> None:
    space = "search:\n  training.lr: [0.1, 1]\n  family.way: {choices: [3]}\n  algorithm: [MAML]\n"
    assert refused(space, "--sampler=cmaes") == (
        "CMA-ES searches numbers alone\n"
        "  where:  --sampler cmaes\n"
        "  got:    choices: algorithm, family.way\n"
        "  needed: ranges\n"
        "  do:     take --sampler tpe, or leave the choices out"
    )


def test_a_search_needs_validation(refused: Refused) -> None:
    assert refused("search:\n  training.lr: [0.1, 1]\n", "--validation.every=0") == (
        "a search needs validation\n"
        "  where:  validation.every\n"
        "  got:    0\n"
        "  needed: 1 or more: trials are judged by it"
    )


# draws


WIDE: Content = {
    "algorithm": {"MAML": {"inner_lr": [1e-3, 1, "log"]}, "ridge": {}},
    "training.lr": [1e-4, 1, "log"],
    "training.steps": [1, 1000],
    "model.lora.modules": [["query"], ["value"], ["dense"]],
    "model.scale": [1.0, 50.0],
}
NUMBERS: Content = {key: WIDE[key] for key in ("training.lr", "training.steps", "model.scale")}


@pytest.mark.parametrize(("sampler", "content"), [("random", WIDE), ("tpe", WIDE), ("cmaes", NUMBERS)])
def test_a_slot_draws_the_same_whoever_fills_it(sampler: Any, content: Content, base: Content) -> None:
    space, settings = read_space(content, base), Search(sampler=sampler, seed=5)
    drawn = [drawn_by(space, slot, settings) for slot in range(8)]
    assert [drawn_by(space, slot, settings) for slot in reversed(range(8))] == drawn[::-1]
    assert len({str(each) for each in drawn}) == 8
    other = Search(sampler=sampler, seed=6)
    assert all(drawn_by(space, slot, other) != drawn[slot] for slot in range(8))


def test_a_random_slot_does_not_depend_on_the_trials_before_it(base: Content) -> None:
    space = read_space(WIDE, base)
    assert drawn_by(space, 6, before=0) == drawn_by(space, 6, before=4)
    study = optuna.create_study()
    for slot in range(6):  # one worker makes them all
        study.sampler = make_sampler(Search(), slot, space)
        trial = study.ask()
        assert space.draw(trial) == drawn_by(space, slot)
        study.tell(trial, 1.0 / (1 + slot))


def test_random_slots_together_fill_the_space_evenly(base: Content) -> None:
    space = read_space({"training.lr": [1e-4, 1, "log"], "training.warmup": [0.0, 1.0]}, base)
    drawn = [drawn_by(space, slot) for slot in range(200)]
    rates = np.log([each["training.lr"] for each in drawn]) / math.log(1e-4)  # from 1 to 0
    warmups = np.array([each["training.warmup"] for each in drawn])
    for uniform in (rates, warmups):
        assert stats.kstest(uniform, "uniform").pvalue > 0.01
    assert abs(stats.pearsonr(rates, warmups).statistic) < 0.2
    assert abs(stats.pearsonr(warmups[1:], warmups[:-1]).statistic) < 0.2  # of neighbouring slots


# any space whose lines are right gives configurations that parse


def number(generator: np.random.Generator, low: float, high: float) -> list[Any] | dict[str, Any]:
    """A line for a number from a span, in any form that it can have."""
    step = round(float(generator.uniform(0.01, (high - low) / 4)), 2)
    a = round(float(generator.uniform(low, high - 4 * step)), 2)
    b = round(a + 4 * step, 2)
    few = [a, (a + b) / 2, b]
    forms: list[list[Any] | dict[str, Any]] = [
        [a, b], [a, b, "log"], few, {"choices": few}, {"low": a, "high": b, "step": step},
        {"low": a, "high": b, "log": True},
    ]  # fmt: skip
    return forms[generator.integers(len(forms))]


def whole(generator: np.random.Generator, low: int, high: int) -> list[Any] | dict[str, Any]:
    """Likewise for a whole number."""
    a = int(generator.integers(low, high))
    b = int(generator.integers(a + 1, high + 1))
    forms: list[list[Any] | dict[str, Any]] = [
        [a, b], [a, b, "log"], {"choices": [a, b]}, {"low": a, "high": b, "step": b - a},
        {"low": a, "high": b},
    ]  # fmt: skip
    return forms[generator.integers(len(forms))]


def some(generator: np.random.Generator, values: list[Any]) -> list[Any] | dict[str, Any]:
    """Some of these values to choose from."""
    count = int(generator.integers(1, len(values) + 1))
    return {"choices": [values[n] for n in generator.permutation(len(values))[:count]]}


def lines(generator: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """A right line for each of many arguments."""
    yield "family.way", whole(generator, 2, 5)
    yield "family.kinds", some(generator, ["shared", "disjoint"])
    yield "family.mentions", some(generator, [None, 2, 3, 5])
    yield "model.scale", number(generator, 1, 50)
    yield "model.lora.rank", whole(generator, 1, 32)
    yield "model.lora.modules", some(generator, [["query"], ["query", "value"], ["dense"]])
    yield "model.lora.layers", some(generator, ["all", "last:2", "0,1"])
    yield "model.cache.memory_gb", number(generator, 0.1, 2)
    yield "training.lr", number(generator, 0.01, 1)
    yield "training.steps", whole(generator, 1, 100)
    yield "training.tasks_at_once", some(generator, ["auto", 1, 4])
    yield "training.schedule", some(generator, ["cosine", "linear", "constant"])


def algorithms(generator: np.random.Generator) -> dict[str, Any]:
    """Lines for the algorithm: an argument of the present one, or classes with spaces of their own."""
    spaces = {
        "MAML": {"inner_lr": number(generator, 0.01, 1), "inner_optimiser": some(generator, ["sgd", "adam"])},
        "MAMLAdam": {"inner_steps": whole(generator, 1, 9), "learn_inner_lr": some(generator, [True, False])},
        "MultiTask": {"then": some(generator, ["features", "adapter"])},
        "ridge": {"strength": number(generator, 0.1, 2)},
        "prototypes-euclidean": {},
        "zero-shot": {"template": some(generator, ["{}", "it is {}: yes"])},
    }
    trained = list(spaces)[generator.integers(3)]  # the lines of the outer loop need one
    others = [name for name in spaces if name != trained]
    names = [trained, *(others[n] for n in generator.permutation(len(others))[: generator.integers(0, 4)])]
    present = {"algorithm.inner_lr": number(generator, 0.01, 1)}
    own = {name: spaces[name] for name in names}
    forms: list[dict[str, Any]] = [present, {"algorithm": own}, {"algorithm": names} | present]
    return forms[generator.integers(3)]


@pytest.mark.parametrize("seed", range(8))
def test_every_draw_from_a_right_space_parses(seed: int, base: Content) -> None:
    generator = np.random.default_rng(seed)
    content = {key: line for key, line in lines(generator) if generator.random() < 0.4}
    content |= algorithms(generator)
    space = read_space(content, base)
    by_name = {parameter.name: parameter for parameter in space.parameters}
    for slot in range(2):
        drawn = drawn_by(space, slot)
        made = again(space.config(base, drawn))
        for name, value in drawn.items():
            if name != "algorithm":
                assert value_in(made, by_name[name].key) == by_name[name].value(value), name
        if "algorithm" in drawn:
            found = class_named("algorithm", drawn["algorithm"])
            assert found is not None
            assert made["algorithm"]["class_path"].endswith(f".{found[1].__name__}")
        asked = {each.name for each in space.parameters if each.asked(drawn)}
        assert asked == set(drawn)
        touched = {by_name[name].key for name in drawn}
        for key in (
            "family.shot",
            "family.way",
            "model.scale",
            "model.lora.rank",
            "training.lr",
            "training.seed",
        ):
            if key not in touched:
                assert value_in(made, key) == value_in(base, key), key

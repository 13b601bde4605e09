"""The published tables: their cells, the trainings that these share, and what is made of the results."""

import fnmatch
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.tables import __main__ as benchmark
from benchmarks.tables import plans, training
from benchmarks.tables.cell import Cell, Corpus
from benchmarks.tables.methods import CHOSEN, EVERY, LEVERS, METHODS
from benchmarks.tables.published import PUBLISHED
from benchmarks.tables.render import load, markdown, render
from benchmarks.tables.training import RECIPE, Effort, Trainings, merged
from fewshot.errors import InputError

ROOT = Path(__file__).parents[1]
CLASSES = [f"class{n:02}" for n in range(12)]
WORDS = ("river", "garden", "engine", "letter", "window", "market", "bridge", "forest")


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Twelve classes of eight texts, four on each side."""
    folder = tmp_path / "talk"
    folder.mkdir()
    rows = [{"text": f"the {word} of {label}", "label": label} for label in CLASSES for word in WORDS]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    sides = {"train": CLASSES[:4], "valid": CLASSES[4:8], "test": CLASSES[8:]}
    splits = {"kind": "class", "folds": {"01": sides}}
    (folder / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    return str(folder)


@pytest.fixture
def table(source: str, tiny_backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table 'intent' of a few cells on a tiny backbone; the current folder is another one."""
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    recipe["model"]["init_args"] |= {"backbone": tiny_backbone}
    recipe["validation"] = {"every": 1, "episodes": 4}
    monkeypatch.setattr(training, "RECIPE", tmp_path / "recipe.yaml")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    monkeypatch.setattr("benchmarks.tables.measure.RECIPE", tmp_path / "recipe.yaml")
    monkeypatch.setattr(training, "LEAST", 8)
    monkeypatch.setitem(plans.TABLES, "intent", lambda: cells(source))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def cells(source: str) -> list[Cell]:
    def family(shot: int) -> dict[str, Any]:
        split = {"fold": "01"}
        return {
            "class_path": "NWayKShot",
            "init_args": {"source": source, "way": 3, "shot": shot, "split": split},
        }

    family_1 = family(1)
    family_1["init_args"]["queries"] = 2
    corpus = Corpus("talk-01", family_1, texts=source)
    return [
        Cell("intent", "talk", "01", 3, shot, {**family(shot)}, corpus, method)
        for method in ("prototypes", CHOSEN, "transductive")
        for shot in (1, 2)
    ]


def test_cells_share_a_training_and_are_not_measured_again(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[str] = []
    train = Trainings._train

    def watched(own: Trainings, config: Mapping[str, Any], out: Path) -> None:
        trained.append(out.name)
        train(own, config, out)

    monkeypatch.setattr(Trainings, "_train", watched)
    words = ["intent", "--quick", "--out", str(table)]
    assert benchmark.main(words) == 0
    assert trained == ["talk-01-chosen-0"]
    names = {cell.name for cell in plans.TABLES["intent"]()}
    found = {path.stem: json.loads(path.read_text()) for path in (table / "intent").glob("*.json")}
    assert set(found) == names
    cell = found["talk-01-2shot-chosen-0"]
    assert (cell["shot"], cell["method"], cell["chosen"], cell["quick"]) == (2, CHOSEN, True, True)
    accuracies = [float(word) for word in cell["accuracies"].split()]
    assert len(accuracies) == cell["episodes"] == benchmark.QUICK_EPISODES
    assert np.mean(accuracies) == pytest.approx(cell["accuracy"]["mean"], abs=1e-6)
    assert cell["command"] == "python -m benchmarks.tables intent --cells talk-01-2shot-chosen-0 --quick"
    assert cell["training"]["outer_steps"] == benchmark.QUICK_STEPS
    assert found["talk-01-2shot-prototypes-0"]["training"] is None
    assert found["talk-01-2shot-transductive-0"]["training"] == cell["training"], "one training for both"
    monkeypatch.setattr(benchmark, "measure", lambda *_: pytest.fail("a cell that was there"))
    assert benchmark.main([*words, "--resume"]) == 0
    with pytest.raises(InputError, match="a quick result enters no table"):
        load("intent", table / "intent")


def test_a_cell_run_again_by_its_command_has_the_same_numbers(table: Path) -> None:
    words = ["intent", "--quick", "--out", str(table), "--cells", "talk-01-1shot-chosen-0"]
    path = table / "intent" / "talk-01-1shot-chosen-0.json"
    assert benchmark.main(words) == 0
    first = json.loads(path.read_text())
    assert benchmark.main(words) == 0
    again = json.loads(path.read_text())
    assert (first["accuracies"], first["f1"]) == (again["accuracies"], again["f1"])


def test_a_pattern_without_cells_is_refused(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    assert benchmark.main(["intent", "--cells", "bank77*"]) == 2
    assert "no cell is called 'bank77*'" in capsys.readouterr().err
    assert benchmark.main(["intent", "--render", "--out", str(table)]) == 2
    assert "there are no results" in capsys.readouterr().err


def test_merged_goes_into_sections_and_takes_classes_whole() -> None:
    base = {"a": {"b": 1, "c": {"d": 2}}, "algorithm": {"class_path": "X", "init_args": {"e": 3}}}
    changed = merged(base, {"a": {"c": {"d": 4}}, "algorithm": {"class_path": "Y"}})
    assert changed == {"a": {"b": 1, "c": {"d": 4}}, "algorithm": {"class_path": "Y"}}
    assert base["a"] == {"b": 1, "c": {"d": 2}}


@pytest.mark.parametrize("method", [name for name, m in EVERY.items() if m.baseline is None])
def test_what_a_method_trains_on(
    method: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "clustered", lambda name, count, folder: Path(f"clusters-{count}"))
    cell = cells(source)[0]
    corpus = Corpus("talk-01", cell.corpus.family, ("further",), source)
    asked = Cell("intent", "talk", "01", 3, 1, cell.family, corpus, method, seed=2)
    config = Trainings(tmp_path, Effort(False, 600), keep=True)._config(asked)
    arguments = config["family"]["init_args"]["meta_training"]
    kind = EVERY[method]
    assert arguments["sources"] == (["further"] if kind.further else [])
    assert arguments["unlabelled"] == (["clusters-19"] if kind.unlabelled else [])
    assert (config["training"]["seed"], config["model"]["init_args"]["lora"]["seed"]) == (2, 2)
    assert config["family"]["init_args"]["source"] == source


def hand_made(dataset: str, fold: str, method: str, accuracy: float, seed: int = 0) -> dict[str, Any]:
    noise = np.random.default_rng(0).normal(0, 0.01, 50)
    trained = EVERY[method].baseline is None
    return {
        "quick": False,
        "dataset": dataset,
        "fold": fold,
        "shot": 1,
        "method": method,
        "seed": seed,
        "episodes": 50,
        "episodes_seed": 0,
        "accuracy": {"mean": float(np.mean(accuracy + noise))},
        "accuracies": " ".join(str(value) for value in accuracy + noise),
        "trainable_parameters": 7,
        "training": {"seconds": 60.0, "validation_accuracy": 0.9} if trained else None,
        "commit": "abc",
        "machine": {"processor": "P", "instructions": "I", "threads": 1},
    }


def two_folds(methods: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [
        hand_made("banking77", fold, method, accuracy + more)
        for method, accuracy in methods
        for fold, more in (("01", 0.0), ("02", 0.02))
    ]


def test_a_table_has_published_figures_ours_and_their_differences() -> None:
    made = two_folds([("prototypes", 0.87), ("ridge", 0.88), (CHOSEN, 0.92)])
    made.append(hand_made("banking77", "01", CHOSEN, 0.93, seed=1))
    text = markdown("intent", made)
    lines = {line.split(" | ")[0].strip("| *"): line for line in text.splitlines() if line.startswith("| ")}
    assert "91.2" in lines["ContrastNet, BERT-base fine-tuned, unverified"]
    ours = 100 * np.mean([made[4]["accuracy"]["mean"], made[5]["accuracy"]["mean"]])
    assert f"{ours:.2f} ± " in lines["the recipe"] or f"{ours:.2f} ± " in text
    assert f"{ours - 91.18:+.2f}" in lines["the best published"]
    assert "+5.00 ± 0.00" in lines["frozen prototypes, paired"]
    assert "2 of 2" in lines["folds where that interval is above 0: ridge"]
    assert "0.71 (2)" in text, "the deviation over two seeds"


def test_folds_that_are_missing_are_said_and_nothing_is_compared() -> None:
    made = [*two_folds([("prototypes", 0.87), ("ridge", 0.88)]), hand_made("banking77", "01", CHOSEN, 0.92)]
    text = markdown("intent", made)
    assert "1 of 2 folds" in text
    assert not any(line.startswith("| the best published | +") for line in text.splitlines())


def test_cells_have_names_of_their_own_and_the_recipe_is_on_every_fold(data_folder: Path) -> None:
    for name, plan in plans.TABLES.items():
        names = [cell.name for cell in plan()]
        assert len(names) == len(set(names)), name
    intent = [cell.name for cell in plans.intent()]
    for data in plans.INTENTS:
        for method in plans.EVERYWHERE:
            assert len(fnmatch.filter(intent, f"{data}-*-{method}-0")) == 10
        assert len(fnmatch.filter(intent, f"{data}-01-*-{CHOSEN}-*")) == 6
    (relations,) = {json.dumps(cell.family["init_args"]["split"]) for cell in plans.fewrel()}
    assert [len(json.loads(relations)["lists"][side]) for side in ("train", "valid", "test")] == [50, 14, 16]
    assert {len({c.dataset for c in plan()}) for plan in (plans.leopard,)} == {11}
    assert len({cell.dataset for cell in plans.arsc()}) == 12


def test_published_rows_are_marked_until_checked() -> None:
    assert not any(row.checked for rows in PUBLISHED.values() for row in rows)


@pytest.mark.parametrize("name", plans.TABLES)
def test_the_table_in_the_readme_is_that_of_the_results(name: str, tmp_path: Path) -> None:
    folder = ROOT / "benchmarks" / "results" / "tables"
    if not (folder / name).is_dir():
        assert f"<!-- tables {name}:" not in (ROOT / "README.md").read_text(encoding="utf-8")
        return
    text = markdown(name, load(name, folder / name))
    assert (folder / f"{name}.md").read_text(encoding="utf-8") == text + "\n"


def test_render_writes_beside_the_cells_and_into_a_readme(tmp_path: Path) -> None:
    folder = tmp_path / "tables" / "intent"
    folder.mkdir(parents=True)
    for number, cell in enumerate(two_folds([("prototypes", 0.87), ("ridge", 0.88), (CHOSEN, 0.92)])):
        (folder / f"{number}.json").write_text(json.dumps(cell), encoding="utf-8")
    readme = tmp_path / "README.md"
    begin = "<!-- tables intent: made by python -m benchmarks.tables intent --render -->"
    readme.write_text(f"{begin}\n<!-- end of tables intent -->\n", encoding="utf-8")
    text = render("intent", folder, readme)
    assert text in readme.read_text(encoding="utf-8")
    assert (tmp_path / "tables" / "intent.md").read_text(encoding="utf-8") == text + "\n"


def laid_out(
    table: str, dataset: str, shot: int, method: str, accuracy: float, noise: float
) -> dict[str, Any]:
    made = hand_made(dataset, "1", method, accuracy)
    values = accuracy + noise * np.linspace(-1, 1, 10)
    scores = {"mean": float(values.mean()), "std": float(values.std(ddof=1))}
    return made | {
        "table": table,
        "shot": shot,
        "way": 5,
        "episodes": len(values),
        "accuracy": scores,
        "accuracies": " ".join(map(str, values)),
    }


def row(text: str, name: str) -> list[str]:
    """The cells of the row of this name."""
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [word.strip() for word in found.strip("|").split("|")][1:]


def test_a_table_of_tasks_has_each_task_their_mean_and_the_differences() -> None:
    values = {"prototypes": (0.5, 0.6), "ridge": (0.55, 0.6), CHOSEN: (0.6, 0.8)}
    made = [
        laid_out("leopard", task, 4, method, accuracy, 0.1)
        for method, both in values.items()
        for task, accuracy in zip(("airline", "disaster"), both, strict=True)
    ]
    text = markdown("leopard", made)
    std = 100 * float((0.1 * np.linspace(-1, 1, 10)).std(ddof=1))
    assert row(text, "airline, 4")[0] == f"50.0 ± {std:.1f}"
    assert row(text, "airline, 4")[-1] == "56.5", "the last published row"
    means = row(text, "4 shots, 2 tasks")
    assert means[:3] == ["55.0", "57.5", "70.0"]
    assert means[3].startswith("+15.0 ± "), "10 and 20 points over prototypes"
    one = [cell | {"episodes": 1} for cell in made if cell["dataset"] == "airline"]
    assert row(markdown("arsc", one), "airline, 4") == ["50.0", "55.0", "60.0"], "one set has no deviation"


def test_a_table_of_shots_has_a_picture(tmp_path: Path) -> None:
    made = [
        laid_out("shots", "banking77", shot, method, accuracy + shot / 100, 0.1)
        for method, accuracy in (("prototypes", 0.5), (CHOSEN, 0.6))
        for shot in (1, 2, 4)
    ]
    text = markdown("shots", made)
    assert row(text, "the recipe over frozen prototypes") == ["+10.00 ± 0.00"] * 3
    assert [word.split(" ")[0] for word in row(text, "frozen prototypes")] == ["51.00", "52.00", "54.00"]
    few = laid_out("shots", "banking77", 1, "fine-tune", 0.55, 0.1)
    few |= {"episodes": 3, "accuracies": " ".join(few["accuracies"].split()[:3])}
    made.append(few)
    text = markdown("shots", made)
    assert row(text, "the recipe over fine-tuned from nothing") == ["+6.00 ± 0.00", "", ""]
    assert "10 test episodes (fine-tuned from nothing: the first 3)" in text
    folder = tmp_path / "shots"
    folder.mkdir()
    for number, cell in enumerate(made):
        (folder / f"{number}.json").write_text(json.dumps(cell), encoding="utf-8")
    render("shots", folder, None)
    picture = (tmp_path / "shots.svg").read_text(encoding="utf-8")
    assert "<svg" in picture
    assert "support examples a class" in picture or "<path" in picture


def test_a_matrix_compares_every_training_with_the_same_baseline() -> None:
    made = [
        laid_out("cross", f"{trained}-to-{tested}", 1, CHOSEN, accuracy, 0.1)
        for trained, tested, accuracy in (("a", "x", 0.7), ("a", "y", 0.5), ("b", "x", 0.6), ("b", "y", 0.9))
    ]
    made += [
        laid_out("cross", f"{trained}-to-{tested}", 1, method, 0.5, 0.1)
        for trained, tested in (("a", "x"), ("b", "y"))
        for method in ("prototypes", "ridge")
    ]
    text = markdown("cross", made)
    assert row(text, "a, over frozen prototypes") == ["+20.00 ± 0.00", "+0.00 ± 0.00"]
    assert row(text, "b, over frozen ridge") == ["+10.00 ± 0.00", "+40.00 ± 0.00"]
    assert [word.split(" ")[0] for word in row(text, "**b**")] == ["60.00", "90.00"]


def test_levers_are_differences_to_the_recipe() -> None:
    made = [
        laid_out("levers", "hwu64", 1, method, accuracy, 0.1)
        for method, accuracy in ((CHOSEN, 0.8), ("batch-4", 0.75), ("prototypes", 0.7))
    ]
    text = markdown("levers", made)
    assert row(text, "the recipe") == ["80.00"]
    assert row(text, LEVERS["batch-4"].about) == ["-5.00 ± 0.00"]


def test_what_looks_at_queries_stands_apart() -> None:
    made = two_folds([("prototypes", 0.87), ("ridge", 0.88), (CHOSEN, 0.92), ("transductive", 0.95)])
    before, after = markdown("intent", made).split("| apart |")
    about = METHODS["transductive"].about
    assert about not in before
    assert about in after

"""`fewshot report`: what it reads, what it refuses, what it writes."""

import csv
import io
import json
import re
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import CausalMaker, Cli
from report import made

from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.evaluation import Evaluation, TaskResult
from fewshot.metrics.generation import GENERATION
from fewshot.metrics.paired import corrected, paired
from fewshot.metrics.scores import SCORES
from fewshot.outer import Training
from fewshot.report.tables import WRITTEN
from fewshot.results import generation_of
from fewshot.tasks.strings import StringTasks
from fewshot.training import Trainer
from fewshot.written import written

TASKS = made.results(12, 0.8)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return made.write(tmp_path / "one", TASKS)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return made.write(tmp_path / "two", made.results(12, 0.95), steps=3)


def page_of(cli: Cli, *runs: Path) -> str:
    code, out, err = cli("report", *runs)
    assert (code, err) == (0, "")
    assert f"written to {runs[0] / 'report.html'}" in out
    return (runs[0] / "report.html").read_text()


def test_a_page_has_every_part_and_nothing_from_elsewhere(cli: Cli, one: Path) -> None:
    text = page_of(cli, one)
    parts = ["summary", "curves", "tasks", "calibration", "layers", "training", "data", "reproduce"]
    assert [part for part in parts if f'id="{part}"' in text] == parts
    assert text.count("<figure>") == 7
    assert "<script" not in text
    outside = re.findall(r'(?:src|href)="(?!#|data:)[^"]*"|url\((?!#)[^)]*\)|@import', text)
    assert outside == []
    assert f"fewshot train --config {one / 'config.yaml'} --out NEW" in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    links = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    assert links <= set(ids)


def test_names_and_texts_of_the_data_are_shown_not_run(cli: Cli, one: Path) -> None:
    text = page_of(cli, one)
    assert "&lt;b&gt;exchange &amp; rate&lt;/b&gt;" in text
    assert "<b>exchange" not in text


def test_the_figures_are_those_of_the_summary(cli: Cli, one: Path) -> None:
    text, summary = page_of(cli, one), json.loads((one / "summary.json").read_text())
    for name in (*SCORES, "balanced_accuracy", "ece"):
        (row,) = re.findall(rf'<tr data-score="{name}">(.*?)</tr>', text)
        cells = re.findall(r"<td>(.*?)</td>", row)
        found = summary[name]
        before = summary["before"][name] if name in SCORES else summary["curve"][0][name]
        low, high = found["ci95"]
        assert cells[0] == f"{100 * before['mean']:.1f}"
        assert cells[1] == f"{100 * found['mean']:.1f}"
        assert cells[2] == f"{100 * low:.1f} to {100 * high:.1f}"
        assert cells[3] == " to ".join(f"{100 * each:.1f}" for each in found["bootstrap95"])
        assert cells[5] == f"{100 * found['worst_decile']:.1f}"


def test_written_answers_have_their_own_scores(
    cli: Cli, make_causal: CausalMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, learner = tmp_path / "words", make_causal(max_new_tokens=4)
    few = Evaluation(episodes=3)
    Trainer(StringTasks(2, 2), learner, MAMLAdam(1), Training(steps=0), evaluation=few, out=run).fit()
    capsys.readouterr()
    text, summary = page_of(cli, run), json.loads((run / "summary.json").read_text())
    found, before = summary["generation"], summary["before"]
    assert "3 test episodes, 2 support examples, seed 0" in text
    for name in ("exact_match", "bleu", "rouge_l"):
        (row,) = re.findall(rf'<tr data-score="{name}">(.*?)</tr>', text)
        shown = [f"{100 * each[name]['mean']:.1f}" for each in (before, found)]
        assert re.findall(r"<td>(.*?)</td>", row)[:2] == shown
    assert "macro averages" not in text
    assert "those of their words" in text


def in_words(skill: float) -> list[TaskResult]:
    """Tasks whose answers are the names of the classes that were answered, written out."""

    def told(result: TaskResult) -> TaskResult:
        outputs = [result.episode.classes[n] for n in result.answers.predicted[-1]]
        return replace(result, written=written(outputs, outputs[::-1], result.episode))

    return [told(result) for result in made.results(12, skill)]


@pytest.fixture
def words(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs whose answers are texts."""
    return made.write(tmp_path / "w1", in_words(0.7)), made.write(tmp_path / "w2", in_words(0.9))


def test_runs_are_compared_in_what_they_wrote(cli: Cli, words: tuple[Path, Path]) -> None:
    _, out, _ = cli("report", *words, "--format", "json")
    found = json.loads(out)["differences"]["w2"]
    assert list(found) == [*SCORES, *GENERATION]
    ours, theirs = ([generation_of(result)["chrf"] for result in in_words(skill)] for skill in (0.9, 0.7))
    for key, value in paired(ours, theirs, 0).items():
        assert found["chrf"][key] == pytest.approx(value)
    table = re.search(r'<table class="differences">(.*?)</table>', page_of(cli, *words), re.DOTALL)
    assert table
    rows = re.findall(r'<tr><th scope="row">w2</th><td>(.*?)</td><td>(.*?)</td>', table.group(1))
    assert [title for title, _ in rows] == ["accuracy", *WRITTEN.values()]
    assert dict(rows)["chrF"] == f"{100 * found['chrf']['mean']:+.2f}"


def test_tables_have_what_was_written(cli: Cli, words: tuple[Path, Path]) -> None:
    summary = json.loads((words[0] / "summary.json").read_text())["generation"]
    _, markdown, _ = cli("report", *words, "--format", "md")
    head, _, first, *_ = markdown.splitlines()
    titles = "exact match | F1 of tokens | BLEU | chrF | ROUGE-1 | ROUGE-2 | ROUGE-L"
    assert head == f"| run | accuracy | precision | recall | F1 | {titles} | over w1 |"
    low, high = summary["bleu"]["ci95"]
    assert first.split(" | ")[7] == f"{100 * summary['bleu']['mean']:.1f} ± {50 * (high - low):.1f}"
    _, latex, _ = cli("report", *words, "--format", "latex")
    assert {line.count("&") for line in latex.splitlines() if line.endswith(r"\\")} == {12}
    _, text, _ = cli("report", *words, "--format", "csv")
    row, _ = csv.DictReader(io.StringIO(text))
    assert float(row["rouge_l"]) == summary["rouge_l"]["mean"]
    assert float(row["exact_match_high"]) == summary["exact_match"]["ci95"][1]


def test_an_unfinished_run_beside_written_ones_has_no_scores(
    cli: Cli, words: tuple[Path, Path], tmp_path: Path
) -> None:
    _, markdown, _ = cli("report", words[0], made.start(tmp_path / "cut"), "--format", "md")
    assert len({line.count("|") for line in markdown.splitlines() if line.startswith("|")}) == 1
    assert f"| cut | unfinished {'|  ' * 10}|" in markdown


def test_methods_have_what_they_wrote(cli: Cli, words: tuple[Path, Path]) -> None:
    run = words[0]
    own = json.loads((run / "summary.json").read_text())
    own |= {"seconds_per_task": 0.1, "trainable_parameters": 1234}
    content = {"episodes": 12, "seed": 0, "reference": "w1", "best_baseline": None, "methods": {"w1": own}}
    content |= {"over_best_baseline": {}, "differences": {}}
    (run / "compare.json").write_text(json.dumps(content))
    table = re.search(r'<table class="methods">(.*?)</table>', page_of(cli, run), re.DOTALL)
    assert table
    heads = re.findall(r'<th scope="col">(.*?)</th>', table.group(1))
    rows = dict(re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table.group(1)))
    cells = {name: re.findall("<td>(.*?)</td>", row) for name, row in rows.items()}
    assert heads[3:12] == ["F1", *WRITTEN.values(), "over w1"]
    place = heads.index("chrF") - 1
    assert cells["w1"][place] == f"{100 * own['generation']['chrf']['mean']:.1f}"
    before = [f"{100 * own['before'][score]['mean']:.1f}" for score in GENERATION]
    assert cells["before adaptation"][3:10] == before
    assert {len(row) for row in cells.values()} == {len(heads) - 1}


@pytest.mark.parametrize(
    ("file", "old", "new", "part"),
    [
        ("tasks.csv", "chrf", "chrg", "tasks.csv, line 1"),
        ("summary.json", '"generation": {', '"generation": 3, "other": {', "summary.json, generation"),
    ],
)
def test_damage_to_what_was_written_is_named(
    file: str, old: str, new: str, part: str, cli: Cli, words: tuple[Path, Path]
) -> None:
    text = (words[0] / file).read_text()
    assert old in text
    (words[0] / file).write_text(text.replace(old, new))
    code, out, err = cli("report", words[0])
    assert (code, out) == (2, "")
    assert "a file of the run is damaged" in err
    assert part in err


def test_the_same_run_gives_the_same_page(cli: Cli, one: Path) -> None:
    assert page_of(cli, one) == page_of(cli, one)


def test_runs_are_compared_with_the_first_task_by_task(cli: Cli, one: Path, two: Path) -> None:
    code, out, _ = cli("report", one, two, "--format", "json")
    content = json.loads(out)
    better = made.results(12, 0.95)
    pairs = {
        score: paired([getattr(r.after, score) for r in better], [getattr(r.after, score) for r in TASKS], 0)
        for score in SCORES
    }
    expected = corrected({"two": pairs})["two"]
    assert (code, content["reference"]) == (0, "one")
    for score in SCORES:
        for key, value in expected[score].items():
            assert content["differences"]["two"][score][key] == pytest.approx(value)
    text = page_of(cli, one, two)
    row = re.search(r'<table class="differences">.*?<tbody>\s*<tr>(.*?)</tr>', text, re.DOTALL)
    assert row
    assert f"<td>{100 * expected['accuracy']['mean']:+.2f}</td>" in row.group(1)


def test_markdown_and_latex_have_means_with_intervals(cli: Cli, one: Path, two: Path) -> None:
    summary = json.loads((one / "summary.json").read_text())
    half = (summary["f1"]["ci95"][1] - summary["f1"]["ci95"][0]) / 2
    figure = f"{100 * summary['f1']['mean']:.1f}", f"{100 * half:.1f}"
    _, markdown, _ = cli("report", one, two, "--format", "md")
    head, rule, first, *_ = markdown.splitlines()
    assert head == "| run | accuracy | precision | recall | F1 | over one |"
    assert rule == "| --- | --: | --: | --: | --: | --: |"
    assert f" {figure[0]} ± {figure[1]} |" in first
    assert "12 test episodes, 4-way 2-shot, seed 0" in markdown
    _, latex, _ = cli("report", one, two, "--format", "latex")
    assert rf"${figure[0]} \pm {figure[1]}$" in latex
    rules = [line for line in latex.splitlines() if line.endswith("rule")]
    assert rules == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert latex.startswith("% fewshot report ")
    columns = {line.count("&") for line in latex.splitlines() if line.endswith(r"\\")}
    assert columns == {5}


def test_names_are_escaped_for_latex_and_markdown(cli: Cli, tmp_path: Path) -> None:
    folder = made.write(tmp_path / "50%_a&b|c", TASKS)
    _, latex, _ = cli("report", folder, "--format", "latex")
    assert r"50\%\_a\&b|c & $" in latex
    _, markdown, _ = cli("report", folder, "--format", "md")
    assert r"| 50%_a&b\|c | " in markdown


def test_csv_has_a_row_a_run(cli: Cli, one: Path, two: Path) -> None:
    _, text, _ = cli("report", one, two, "--format", "csv")
    first, second = csv.DictReader(io.StringIO(text))
    summary = json.loads((two / "summary.json").read_text())
    assert float(second["accuracy"]) == summary["accuracy"]["mean"]
    assert float(second["recall_low"]) == summary["recall"]["ci95"][0]
    assert (first["difference"], second["over"]) == ("", "one")
    assert int(second["wins"]) + int(second["ties"]) + int(second["losses"]) == 12


@pytest.mark.parametrize(
    ("ending", "begins"), [("md", "| run"), ("csv", "run,"), ("json", "{"), ("tex", "%")]
)
def test_the_format_follows_from_the_name(
    ending: str, begins: str, cli: Cli, one: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"table.{ending}"
    code, said, _ = cli("report", one, "--out", out)
    assert (code, said) == (0, f"written to {out}\n")
    assert out.read_text().startswith(begins)


def test_an_evaluation_is_reported_with_its_training(cli: Cli, one: Path) -> None:
    folder = one / "evaluations" / "more"
    made.evaluation(folder, made.results(20, 0.9), seed=1)
    text = page_of(cli, folder)
    assert "20 test episodes" in text
    assert 'id="training"' in text
    assert "one/more" in text


def test_an_older_run_says_what_it_did_not_record(cli: Cli, one: Path) -> None:
    for name in ("inspection.json", "answers.safetensors", "curve.csv", "classes.csv", "manifest.json"):
        (one / name).unlink()
    summary = json.loads((one / "summary.json").read_text())
    newer = ("curve", "sources", "calibration", "variance", "episodes_needed", "ece", "log_loss", "f1_micro")
    for name in newer:
        summary.pop(name)
    for name in SCORES:
        summary[name].pop("bootstrap95")
    (one / "summary.json").write_text(json.dumps(summary))
    text = page_of(cli, one)
    for what in ("Scores by inner step were", "Confidences were", "What adaptation moves was"):
        assert f"{what} not recorded." in text


def test_an_unfinished_run_is_reported_as_such(cli: Cli, one: Path, tmp_path: Path) -> None:
    cut = made.start(tmp_path / "cut", steps=17)
    with (cut / "log.jsonl").open("a") as file:
        file.write('{"step": 18, "lo')  # stopped in the middle of a line
    text = page_of(cli, one, cut)
    assert "<strong>cut</strong> is not finished: its log ends at outer step 17" in text
    assert text.count('class="scores"') == 1
    alone = page_of(cli, cut)
    assert 'id="summary"' not in alone
    assert 'id="training"' in alone
    _, table, _ = cli("report", one, cut, "--format", "md")
    assert "| cut | unfinished |" in table
    _, table, _ = cli("report", cut, "--format", "latex")
    assert "No run is finished." in table
    _, table, _ = cli("report", one, cut, "--format", "csv")
    assert [row["state"] for row in csv.DictReader(io.StringIO(table))] == ["finished", "unfinished"]


def test_methods_of_a_comparison_stand_beside_the_run(cli: Cli, one: Path) -> None:
    summary = json.loads((one / "summary.json").read_text())
    own = summary | {"seconds_per_task": 0.1, "trainable_parameters": 1234}
    ours, theirs = ({score: values(score, moment) for score in SCORES} for moment in (1, 0))
    pairs = {score: paired(ours[score], theirs[score], 0) | {"p_holm": 0.25} for score in SCORES}
    content = {
        "episodes": 12, "seed": 0, "reference": "one", "best_baseline": "ridge",
        "methods": {"ridge": own, "one": own}, "over_best_baseline": {"one": pairs}, "differences": {},
    }  # fmt: skip
    (one / "compare.json").write_text(json.dumps(content))
    text = page_of(cli, one)
    assert "Methods beside one" in text
    assert '<th scope="col">over ridge</th>' in text
    assert text.count("<td>1,234</td>") == 2
    assert "<td>0.25</td>" in text


def values(score: str, moment: int) -> list[float]:
    return [getattr(result.moments[moment], score) for result in TASKS]


def first(pattern: str, new: str) -> Callable[[str], str]:
    """Changes the first match."""
    return lambda text: re.sub(pattern, new, text, count=1)


def third_row(text: str) -> str:
    return "\n".join("3,talk" if n == 3 else line for n, line in enumerate(text.splitlines()))


MEAN = r'("accuracy": \{\s*"mean": )[\d.]+'
DAMAGE: dict[str, tuple[str, Callable[[str], str], list[str]]] = {
    "a csv field": ("tasks.csv", first(",0[.]", ",zero."), ["tasks.csv, line 2, column", "'zero."]),
    "a csv row": ("tasks.csv", third_row, ["tasks.csv, line 4", "another number of fields than in line 1"]),
    "a csv column": ("tasks.csv", first("recall", "recoil"), ["line 1", "no column recall"]),
    "a csv without rows": ("tasks.csv", first(r"\n(.|\n)*", "\n"), ["no test tasks", "no row below"]),
    "json": ("summary.json", first(":", ""), ["summary.json, line 2, column", "Expecting ':'"]),
    "json of another kind": ("summary.json", lambda _: "[]", ["summary.json", "a list", "an object"]),
    "json without a key": ("summary.json", lambda t: t.replace('"recall"', '"recoil"'), ["no recall"]),
    "figures that differ": (
        "summary.json",
        first(MEAN, r"\g<1>0.125"),
        ["summary.json, beside tasks.csv", "accuracy 0.125000 against"],
    ),
    "no episodes": ("summary.json", first('("episodes":) [0-9]+', r"\1 0"), ["no test tasks", "0 episodes"]),
    "a score that is a text": ("summary.json", first(MEAN, r'\g<1>"high"'), ["summary.json, score accuracy"]),
    "a score without an interval": ("summary.json", first('"ci95"', '"ci99"'), ["score accuracy", "missing"]),
    "an inspection of another kind": ("inspection.json", lambda _: "{}", ["inspection.json", "no movement"]),
    "a line of the log": ("log.jsonl", first("{", ""), ["log.jsonl, line 1", "in each line"]),
    "the inspection": ("inspection.json", lambda t: t[:-10], ["inspection.json, line"]),
    "the manifest": ("manifest.json", lambda _: "", ["manifest.json, line 1, column 1"]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_named_with_its_line(name: str, cli: Cli, one: Path) -> None:
    file, change, parts = DAMAGE[name]
    text = (one / file).read_text()
    assert change(text) != text
    (one / file).write_text(change(text))
    code, out, err = cli("report", one)
    assert (code, out) == (2, "")
    assert all(part in err for part in parts), err
    assert str(one / file) in err
    assert not (one / "report.html").exists()


def test_bytes_that_are_no_text_are_named_with_their_line(cli: Cli, one: Path) -> None:
    content = (one / "tasks.csv").read_bytes().split(b"\n")
    content[2] = b"\xff" + content[2]
    (one / "tasks.csv").write_bytes(b"\n".join(content))
    code, _, err = cli("report", one)
    assert code == 2
    assert "tasks.csv, line 3" in err
    assert "no UTF-8" in err


def test_runs_of_other_episodes_are_refused_with_what_differs(cli: Cli, one: Path, tmp_path: Path) -> None:
    other = made.results(12, 0.8)
    changed = [*other[1:], *made.results(13, 0.8)[12:]]
    renumbered = [replace(result, task=number) for number, result in enumerate(changed)]
    two = made.write(tmp_path / "two", renumbered, seed=3)
    code, out, err = cli("report", one, two)
    assert (code, out) == (2, "")
    assert "error: the runs were tested on different episodes" in err
    assert "seed: 0 | 3" in err
    assert "episodes[0].source: talk 0 | talk 1" in err
    assert re.search(r"and \d+ more lines", err)
    assert f"fewshot evaluate {two} --manifest {one / 'manifest.json'} --name same" in err


def test_commands_to_copy_are_whole_and_for_a_shell(cli: Cli, tmp_path: Path) -> None:
    folder = (
        tmp_path / "my runs" / ("x" * 200) / ("y" * 200) / ("z" * 200)
    )  # beyond what a line shows of a text
    folder.mkdir(parents=True)
    one = made.write(folder / "one", TASKS)
    two = made.write(folder / "two", made.results(13, 0.8))
    code, _, err = cli("report", one, two)
    assert code == 2
    assert [shlex.split(line.removeprefix("  do:")) for line in err.splitlines()[-2:]] == [
        ["fewshot", "evaluate", str(two), "--manifest", str(one / "manifest.json"), "--name", "same"],
        ["and", "report", f"{two / 'evaluations' / 'same'};", "or", "make", "a", "report", "of", "each"],
    ]


def test_one_episode_more_is_another_evaluation(cli: Cli, one: Path, tmp_path: Path) -> None:
    two = made.write(tmp_path / "two", made.results(13, 0.8))
    code, _, err = cli("report", one, two)
    assert code == 2
    assert "episodes: 12 | 13" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: RUN"),
        (["nowhere"], "this is no run directory"),
        (["--format", "pdf", "RUN"], "unknown format 'pdf'"),
        (["RUN", "--format", "markdow"], "unknown format"),
        (["RUN", "--out", "table.xls"], "the format is not clear"),
        (["RUN", "--out", "table"], "a name without an ending"),
        (["RUN", "RUN"], "a run is named twice"),
        (["RUN", "--ou", "x", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_message(words: list[str], message: str, cli: Cli, one: Path) -> None:
    code, out, err = cli("report", *[one if word == "RUN" else word for word in words])
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_out_that_is_a_folder_is_refused(cli: Cli, one: Path, tmp_path: Path) -> None:
    code, _, err = cli("report", one, "--format", "html", "--out", tmp_path)
    assert code == 2
    assert "--out names a folder" in err


def test_the_same_episodes_from_elsewhere_are_the_same(cli: Cli, one: Path, two: Path) -> None:
    content = json.loads((two / "manifest.json").read_text())
    content["seed"] = 7
    for each in content["episodes"]:
        each["source"] = f"/elsewhere/{each['source']}"
    (two / "manifest.json").write_text(json.dumps(content))
    assert cli("report", one, two, "--format", "md")[0] == 0


def test_a_misspelt_evaluation_is_not_taken_for_an_unfinished_one(cli: Cli, one: Path) -> None:
    made.evaluation(one / "evaluations" / "more", TASKS)
    code, _, err = cli("report", one / "evaluations" / "mroe")
    assert code == 2
    assert "there is no such evaluation" in err
    assert "did you mean 'more'?" in err
    assert not (one / "evaluations" / "mroe").exists()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("inspection.json", '"relative"', '"absolute"'),
        ("inspection.json", '"support": 3', '"support": 300'),
        ("summary.json", '"bins"', '"bands"'),
        ("log.jsonl", '"loss": 1.0', '"loss": "low"'),
    ],
    ids=["key", "number", "bins", "text"],
)
def test_another_shape_is_one_message(file: str, old: str, new: str, cli: Cli, one: Path) -> None:
    text = (one / file).read_text()
    assert old in text
    (one / file).write_text(text.replace(old, new))
    code, out, err = cli("report", one)
    assert (code, out) == (2, "")
    assert "a file of a run has not the shape that it was written with" in err
    assert str(one) in err


def test_five_large_runs_are_quick_and_small(cli: Cli, tmp_path: Path) -> None:
    tasks = made.results(600, 0.85, queries=15, way=5, steps=6)
    runs = [made.write(tmp_path / f"run{n}", tasks, steps=3) for n in range(5)]
    started = time.process_time()
    text = page_of(cli, *runs)
    assert time.process_time() - started < 10  # of this process alone; 2.5 s where this was written
    assert len(text.encode()) < 3_000_000

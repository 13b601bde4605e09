"""Real data sets, written back into the format of their release and converted, come out as they were."""

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from releases.samples import Files, convert, folder, lines, rows_of

from fewshot.releases.bao_classes import SETS as BAO_SETS
from fewshot.releases.protaugment import SETS

pytestmark = pytest.mark.data


def real(where: Path) -> tuple[bytes, dict[str, Any]]:
    """The unpacked data file and the splits of a data set."""
    plain = where / "data.jsonl"
    data = plain.read_bytes() if plain.exists() else gzip.decompress((where / "data.jsonl.gz").read_bytes())
    return data, json.loads((where / "splits.json").read_bytes())


def data_of(written: Files, name: str) -> bytes:
    packed = written.get(f"{name}/data.jsonl.gz")
    return gzip.decompress(packed) if packed else written[f"{name}/data.jsonl"]


def check_counts(written: Files, where: Path) -> None:
    """What was counted of a data set is what its own SOURCE.md says, which other code has counted."""
    ours = written[f"{where.name}/SOURCE.md"].decode().splitlines()
    for line in (where / "SOURCE.md").read_text(encoding="utf-8").splitlines():
        if line.startswith(("- rows per ", "- whitespace words ", "- fold ")):
            assert line in ours
        elif line.startswith(("- rows repeating ", "- distinct texts ", "- same text ")):
            begin, found = line[:25], line[line.rindex(": ") :]
            assert [each for each in ours if each.startswith(begin) and each.endswith(found)], line


@pytest.mark.parametrize("name", ["banking77", "hwu64", "clinic150"])
def test_protaugment(name: str, data_folder: Path, tmp_path: Path) -> None:
    data, splits = real(data_folder / name)
    low = (data_folder / name / "low10.json").read_bytes()
    rows = [{"sentence": row["text"], "label": row["label"]} for row in rows_of(data)]
    start = f"data/{SETS[name].folder}"
    files = {f"{start}/full.jsonl": lines(rows)}
    for fold, sides in splits["folds"].items():
        for side, labels in sides.items():
            files[f"{start}/few_shot/{fold}/labels.{side}.txt"] = "".join(f"{x}\n" for x in labels).encode()
    for fold, numbers in json.loads(low).items():
        files[f"{start}/few_shot/{fold}/train.10samples.jsonl"] = lines(rows[number] for number in numbers)
    written = convert("protaugment", folder(files, tmp_path / "in"), tmp_path / "out")
    assert data_of(written, name) == data
    assert written[f"{name}/splits.json"] == (data_folder / name / "splits.json").read_bytes()
    assert written[f"{name}/low10.json"] == low
    check_counts(written, data_folder / name)


def test_reuters(data_folder: Path, tmp_path: Path) -> None:
    data, _ = real(data_folder / "reuters")
    rows = [
        {"text": str(row["text"]).lower().split(), "label": row["label_id"], "raw": f"{row['text']}  "}
        for row in rows_of(data)
    ]
    written = convert("bao", folder({"data/reuters.json": lines(rows)}, tmp_path / "in"), tmp_path / "out")
    assert data_of(written, "reuters") == data
    assert written["reuters/splits.json"] == (data_folder / "reuters/splits.json").read_bytes()
    check_counts(written, data_folder / "reuters")


def test_news20(data_folder: Path, tmp_path: Path) -> None:
    """The texts are of another version and keep their lines, so tokens and labels are compared."""
    real_rows = rows_of(real(data_folder / "news20")[0])
    numbers = {label: number for number, label in enumerate(BAO_SETS["news20"].names)}
    rows = [{"text": str(row["text"]).split(), "label": numbers[str(row["label"])]} for row in real_rows]
    written = convert("bao", folder({"20news.json": lines(rows)}, tmp_path / "in"), tmp_path / "out")
    made = rows_of(data_of(written, "news20"))
    assert [(str(r["text"]).split(), r["label"]) for r in made] == [
        (str(r["text"]).split(), r["label"]) for r in real_rows
    ]
    assert written["news20/splits.json"] == (data_folder / "news20/splits.json").read_bytes()


def test_leopard(data_folder: Path, tmp_path: Path) -> None:
    data, _ = real(data_folder / "leopard")
    files = {"data/json/disaster/disaster_train_0_16.json": b""}  # empty upstream
    for (task, episode, shots), group in itertools.groupby(
        rows_of(data), key=lambda row: (row["task"], row["episode"], row["shots"])
    ):
        part = "eval" if episode is None else f"train_{episode}_{shots}"
        rows = [
            {
                "sentence1": row.get("text", row.get("text_a")),
                "label": row["label"],
                "processed_sent": "[CLS]",
            }
            | ({"sentence2": row["text_b"]} if "text_b" in row else {})
            for row in group
        ]
        files[f"data/json/{task}/{task}_{part}.json"] = json.dumps(rows).encode()
    written = convert("leopard", folder(files, tmp_path / "in"), tmp_path / "out")
    assert data_of(written, "leopard") == data
    assert written["leopard/splits.json"] == (data_folder / "leopard/splits.json").read_bytes()
    check_counts(written, data_folder / "leopard")


def test_arsc(data_folder: Path, tmp_path: Path) -> None:
    data, splits = real(data_folder / "arsc")
    tasks = {
        side: sorted({task.split(".")[0] for task in each}) for side, each in splits["task_split"].items()
    }
    files = {
        "Amazon_few_shot/workspace.filtered.list": "\n".join(tasks["train"]).encode(),
        "Amazon_few_shot/workspace.target.list": "\n".join(tasks["test"]).encode(),
    }
    numbers = {"positive": 1, "negative": -1}
    for (task, split), group in itertools.groupby(rows_of(data), key=lambda row: (row["task"], row["split"])):
        content = "".join(f"{row['text']}\t{numbers[str(row['label'])]}\n" for row in group)
        files[f"Amazon_few_shot/{task}.{split}"] = content.encode()
    written = convert("arsc", folder(files, tmp_path / "in"), tmp_path / "out")
    assert data_of(written, "arsc") == data
    assert written["arsc/splits.json"] == (data_folder / "arsc/splits.json").read_bytes()
    check_counts(written, data_folder / "arsc")

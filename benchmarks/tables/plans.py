"""The cells of every table, in the order in which they are measured."""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from benchmarks.tables.cell import Cell, Config, Corpus
from benchmarks.tables.methods import CHOSEN, METHODS
from fewshot.data.find import folder_of
from fewshot.errors import InputError

FOLDS = ("01", "02", "03", "04", "05")
SEEDS = (1, 2)  # beside 0
EVERYWHERE = ("prototypes", "ridge", CHOSEN)  # the others are measured on one fold
INTENTS = ("banking77", "hwu64", "clinic150")
NEWS = ("news20", "reuters")
SENTIMENT = ("sst5", "subj")
SHOTS = (1, 5)
FEWREL_VALID, ARSC_VALID = 14, 8  # held out of the training side, where none is published
GROUPS = {"intents": INTENTS, "news": (*NEWS, "ag_news"), "relations": ("fewrel",)}


def _nway(source: str, shot: int, split: Config, way: int = 5, queries: int = 5) -> Config:
    sizes = {"way": way, "shot": shot, "queries": queries}
    return {"class_path": "NWayKShot", "init_args": {"source": source, **sizes, "split": dict(split)}}


def _others(name: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)


def _corpus(source: str, fold: str, split: Config, further: Sequence[str]) -> Corpus:
    return Corpus(f"{source}-{fold}", _nway(source, 1, split), _others(source, further), source)


def _classes(table: str, source: str, fold: str, split: Config, further: Sequence[str]) -> list[Cell]:
    """Every method on the first fold of a data set, those that are measured everywhere on the others."""
    corpus = _corpus(source, fold, split, further)
    first = fold not in FOLDS[1:]
    methods = [(name, 0) for name in (METHODS if first else EVERYWHERE)]
    methods += [(CHOSEN, seed) for seed in SEEDS] if first else []
    return [
        Cell(table, source, fold, 5, shot, _nway(source, shot, split), corpus, method, seed)
        for (method, seed), shot in product(methods, SHOTS)
    ]


def intent() -> list[Cell]:
    """The five published folds of three intent data sets."""
    folds = sorted(product(INTENTS, FOLDS), key=lambda pair: pair[1])
    return [
        cell for source, fold in folds for cell in _classes("intent", source, fold, {"fold": fold}, INTENTS)
    ]


def news() -> list[Cell]:
    """The class splits of Bao et al. 2020."""
    split = {"fold": "bao2020"}
    return [cell for source in NEWS for cell in _classes("news", source, "bao2020", split, GROUPS["news"])]


def fewrel() -> list[Cell]:
    """The 64 and 16 public relations of FewRel 1.0."""
    (sides,) = _splits("fewrel")["folds"].values()
    names = sorted(sides["train"])
    lists = {"train": names[:-FEWREL_VALID], "valid": names[-FEWREL_VALID:], "test": sides["test"]}
    return _classes("fewrel", "fewrel", "fewrel1.0", {"lists": lists}, ("fewrel", "fewrel_domains"))


def shots() -> list[Cell]:
    """Data efficiency: more and more support examples, against what needs no meta-training."""
    split, source = {"fold": FOLDS[0]}, INTENTS[0]
    corpus = _corpus(source, FOLDS[0], split, INTENTS)
    methods = ("prototypes", "ridge", "logistic", "fine-tune", CHOSEN, "multi-task")
    return [
        Cell("shots", source, FOLDS[0], 5, shot, _nway(source, shot, split), corpus, method)
        for method, shot in product(methods, (1, 2, 4, 8, 16, 32))
    ]


def cross() -> list[Cell]:
    """Trained on the corpora of one kind, tested on those of every kind."""
    cells = []
    for (kind, trained), tested in product(GROUPS.items(), GROUPS.values()):
        own = trained[0]
        corpus = Corpus(f"{kind}", _nway(own, 1, _first(own)), trained[1:])
        cells += [
            Cell("cross", f"{kind}-to-{each}", "one", 5, 1, _nway(each, 1, _first(each)), corpus, method)
            for each, method in product((tested[0],), ("prototypes", "ridge", CHOSEN))
        ]
    return cells


def _first(source: str) -> Config:
    if source == "fewrel":
        cell: Any = fewrel()[0]
        return dict(cell.family["init_args"]["split"])
    return {"fold": next(iter(_splits(source)["folds"]))}


def _splits(source: str) -> Any:
    folder = folder_of(source)
    if folder is None or not (folder / "splits.json").is_file():
        raise InputError(
            f"the data set {source!r} is not there",
            where="FEWSHOT_DATA",
            got=str(folder),
            needed=f"a folder {source} with splits.json",
        )
    return json.loads((folder / "splits.json").read_text(encoding="utf-8"))


TABLES: dict[str, Callable[[], list[Cell]]] = {
    "intent": intent,
    "news": news,
    "fewrel": fewrel,
    "shots": shots,
    "cross": cross,
}

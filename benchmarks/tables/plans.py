"""The cells of every table, in the order in which they are measured."""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from benchmarks.tables.cell import Cell, Config, Corpus
from benchmarks.tables.methods import CHOSEN, LEVERS
from fewshot.data.find import folder_of
from fewshot.errors import InputError

FOLDS = ("01", "02", "03", "04", "05")
SEEDS = (1, 2)  # beside 0
CORE = ("prototypes", "ridge", CHOSEN)
EVERYWHERE = (*CORE, "transductive")
ON_ONE_FOLD = ("prototype-head", "labelled", "episodic", "multi-task", "r2d2")
# long texts: one episode a step; where they are few, no clusters of them, and slowly; by validation classes
LONG_TEXTS: Config = {"meta_batch": 1, "steps": 100}
FEW_TEXTS: Config = {**LONG_TEXTS, "lr": 2e-4}
INTENTS = ("banking77", "hwu64", "clinic150")
NEWS = ("news20", "reuters")
TEXTS = (
    "clinic150",
    "banking77",
    "hwu64",
    "trec",
    "subj",
    "ag_news",
    "sst5",
    "news20",
)  # nothing of Amazon's
SHOTS = (1, 5)
SLOW = {"fine-tune": 10}  # test episodes: minutes each at 32 shots
FEWREL_VALID = 14  # relations held out of the training side, as no validation is published
# LEOPARD's tasks whose evaluation rows are there: on one text, on two
SINGLE = (
    "airline", "disaster", "political_audience", "political_bias", "political_message", "rating_books",
    "sentiment_books", "sentiment_dvd", "sentiment_kitchen",
)  # fmt: skip
PAIRED = ("restaurant", "scitail")
LEOPARD_SHOTS, LEOPARD_SETS = (4, 8, 16), 10
LEOPARD_QUERIES = 30  # of a class
GROUPS = {"intents": INTENTS, "news": (*NEWS, "ag_news"), "relations": ("fewrel",)}


def _nway(source: str, shot: int, split: Config, way: int = 5, queries: int = 5) -> Config:
    sizes = {"way": way, "shot": shot, "queries": queries}
    return {"class_path": "NWayKShot", "init_args": {"source": source, **sizes, "split": dict(split)}}


def _others(name: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)


def _corpus(source: str, fold: str, split: Config, further: Sequence[str]) -> Corpus:
    return Corpus(f"{source}-{fold}", _nway(source, 1, split), _others(source, further), source)


def _classes(table: str, fold: str, corpus: Corpus, more: Sequence[str] = ON_ONE_FOLD) -> list[Cell]:
    """Every method on the first fold of a data set, those that are measured everywhere on the others."""
    source, split = (corpus.family["init_args"][name] for name in ("source", "split"))
    first = fold not in FOLDS[1:]
    methods = [(name, 0) for name in ((*EVERYWHERE, *more) if first else EVERYWHERE)]
    methods += [(CHOSEN, seed) for seed in SEEDS] if fold == FOLDS[0] else []
    return [
        Cell(table, source, fold, 5, shot, _nway(source, shot, split), corpus, method, seed)
        for (method, seed), shot in product(methods, SHOTS)
    ]


def intent() -> list[Cell]:
    """The five published folds of three intent data sets."""
    folds = sorted(product(INTENTS, FOLDS), key=lambda pair: pair[1])
    return [
        cell
        for source, fold in folds
        for cell in _classes("intent", fold, _corpus(source, fold, {"fold": fold}, INTENTS))
    ]


def news() -> list[Cell]:
    """The class splits of Bao et al. 2020."""
    fold = "bao2020"
    families = {source: _nway(source, 1, {"fold": fold}) for source in NEWS}
    corpora = [
        Corpus(f"news20-{fold}", families["news20"], texts="news20", training=LONG_TEXTS),
        Corpus(f"reuters-{fold}", families["reuters"], training=FEW_TEXTS),
    ]
    return [cell for corpus in corpora for cell in _classes("news", fold, corpus, ("prototype-head",))]


def fewrel() -> list[Cell]:
    """The 64 and 16 public relations of FewRel 1.0; clusters of its texts would be topics, no relations."""
    (sides,) = _splits("fewrel")["folds"].values()
    names = sorted(sides["train"])
    lists = {"train": names[:-FEWREL_VALID], "valid": names[-FEWREL_VALID:], "test": sides["test"]}
    return _classes(
        "fewrel", "1.0", Corpus("fewrel", _nway("fewrel", 1, {"lists": lists})), ("prototype-head",)
    )


def shots() -> list[Cell]:
    """Data efficiency: more and more support examples, against what needs no meta-training."""
    split, source = {"fold": FOLDS[0]}, INTENTS[0]
    corpus = _corpus(source, FOLDS[0], split, INTENTS)
    methods = ("prototypes", "ridge", "logistic", "fine-tune", CHOSEN, "multi-task")
    return [
        Cell("shots", source, FOLDS[0], 5, n, _nway(source, n, split), corpus, name, most=SLOW.get(name))
        for name, n in product(methods, (1, 2, 4, 8, 16, 32))
    ]


def cross() -> list[Cell]:
    """Trained on the corpora of one kind, tested on those of every kind."""
    cells = []
    for (kind, trained), (tested, *_) in product(GROUPS.items(), GROUPS.values()):
        own = trained[0]
        slow = FEW_TEXTS if kind == "news" else {}
        corpus = Corpus(kind if trained[1:] else own, _nway(own, 1, _first(own)), trained[1:], training=slow)
        methods = CORE if tested == own else (CHOSEN,)
        family = _nway(tested, 1, _first(tested))
        cells += [Cell("cross", f"{kind}-to-{tested}", "1", 5, 1, family, corpus, name) for name in methods]
    return cells


def _first(source: str) -> Config:
    if source == "fewrel":
        cell: Any = fewrel()[0]
        return dict(cell.family["init_args"]["split"])
    return {"fold": next(iter(_splits(source)["folds"]))}


def leopard() -> list[Cell]:
    """The published training sets of each task, of 4, 8 and 16 examples a class; trained on other texts."""
    own, *further = TEXTS
    corpus = Corpus("texts", _nway(own, 1, _first(own)), tuple(further))
    ways = {task: len(names) for task, names in _splits("leopard")["classes"].items()}
    return [
        Cell("leopard", task, "sets", ways[task], n, _published(task, n), corpus, name, most=LEOPARD_SETS)
        for n, task in product(LEOPARD_SHOTS, (*SINGLE, *PAIRED))
        for name in CORE
    ]


def _published(task: str, shots: int) -> Config:
    arguments = {"source": "leopard", "shots": shots, "queries": LEOPARD_QUERIES}
    only = {"reading": {"only": {"task": [task]}}}
    columns = {"columns": {"text": "text_a", "text_pair": "text_b"}} if task in PAIRED else {}
    return {"class_path": "PublishedEpisodes", "init_args": arguments | only | columns}


def arsc() -> list[Cell]:
    """The twelve held-out sentiment tasks with their published support sets; one training for all of them."""
    family = {"class_path": "Domains", "init_args": {"source": "arsc", "shot": 5, "queries": 5}}
    corpus = Corpus("arsc", family, training={"meta_batch": 4})
    return [
        Cell("arsc", task, "published", 2, 5, _domain(task), corpus, method, most=1)
        for task in sorted(_splits("arsc")["task_split"]["test"])
        for method in CORE
    ]


def _domain(task: str) -> Config:
    split = {"lists": {"train": [], "valid": [], "test": [task]}}
    return {
        "class_path": "Domains",
        "init_args": {"source": "arsc", "shot": 5, "queries": 50, "split": split},
    }


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


def levers() -> list[Cell]:
    """Single changes of the recipe, on the validation episodes of one fold of each intent data set."""
    fold = FOLDS[1]
    split = {"fold": fold}
    return [
        Cell(
            "levers",
            source,
            fold,
            5,
            shot,
            _nway(source, shot, split),
            _corpus(source, fold, split, INTENTS),
            method,
            side="valid",
        )
        for method in (*EVERYWHERE, *ON_ONE_FOLD, "further", "maml", *LEVERS)
        for source, shot in product(INTENTS, SHOTS)
    ]


TABLES: dict[str, Callable[[], list[Cell]]] = {
    "intent": intent,
    "news": news,
    "fewrel": fewrel,
    "leopard": leopard,
    "arsc": arsc,
    "shots": shots,
    "cross": cross,
    "levers": levers,
}

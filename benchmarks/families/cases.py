"""Every family with the data sets that it is tried on; every folder of FEWSHOT_DATA is in one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from fewshot.data.find import Columns
from fewshot.data.reading import Reading
from fewshot.data.split import ClassSplit
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.coarse import CoarseToFine
from fewshot.tasks.crossdomain import CrossDomain
from fewshot.tasks.domains import Domains
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.inflections import Inflections
from fewshot.tasks.masked import MaskedWords
from fewshot.tasks.matching import Matching
from fewshot.tasks.mixture import Mixture
from fewshot.tasks.nway import NWayKShot
from fewshot.tasks.outofscope import OutOfScope
from fewshot.tasks.pairs import TextPairs
from fewshot.tasks.published import PublishedEpisodes
from fewshot.tasks.records import Records
from fewshot.tasks.strings import StringTasks
from fewshot.tasks.variable import VariableWayShot
from fewshot.tasks.views import Views

NO_DATA = ("Dialogue",)  # families for a user's own files: no data set here is of their kind
GENERATION = (
    "gen_babi",
    "gen_function_vectors",
    "gen_inflection",
    "gen_instruction_induction",
    "gen_multi30k",
    "gen_natural_instructions",
    "gen_relations",
    "gen_scan",
)
PAIRS = ["restaurant", "scitail"]  # of leopard: tasks with two texts
LEOPARD = [
    "airline", "disaster", "emotion", "political_audience", "political_bias", "political_message",
    "rating_books", "rating_dvd", "rating_electronics", "rating_kitchen",
    "sentiment_books", "sentiment_dvd", "sentiment_electronics", "sentiment_kitchen",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A family on data.

    Args:
        family: the name of the family.
        data: the data sets.
        make: builds it.
    """

    family: str
    data: tuple[str, ...]
    make: Callable[[], TaskFamily]

    @property
    def name(self) -> str:
        """Such as 'NWayKShot on banking77'."""
        return f"{self.family} on {', '.join(self.data) or 'its grammar'}"


def cases() -> list[Case]:
    """In the order of the table."""
    halves = ClassSplit(fractions=(0.5, 0.0, 0.5))
    sentiment = ["mr", "cr", "mpqa", "sst2"]
    found = [
        Case("Attributes", (), Attributes),
        Case("StringTasks", (), StringTasks),
        *(Case("NWayKShot", (name,), partial(NWayKShot, name)) for name in ("banking77", "hwu64", "news20")),
        Case("NWayKShot", ("reuters",), lambda: NWayKShot("reuters")),
        Case("NWayKShot", ("fewrel",), lambda: NWayKShot("fewrel")),
        Case(
            "NWayKShot",
            ("sst5",),
            lambda: NWayKShot("sst5", way=2, split=ClassSplit(fractions=(0.6, 0.0, 0.4))),
        ),
        Case("NWayKShot", ("ag_news",), lambda: NWayKShot("ag_news", way=2, split=halves)),
        Case("VariableWayShot", ("banking77_official",), _variable),
        Case("Mixture", ("clinic150", "hwu64"), lambda: Mixture(["clinic150", "hwu64"])),
        Case(
            "CrossDomain",
            ("fewrel", "fewrel_domains"),
            lambda: CrossDomain(train=["fewrel"], test=["fewrel_domains"]),
        ),
        Case("CoarseToFine", ("clinc150_oos",), lambda: CoarseToFine("clinc150_oos", "domains.json", way=3)),
        Case("CoarseToFine", ("hwu64",), lambda: CoarseToFine("hwu64", "/", way=2)),
        Case("OutOfScope", ("clinc150_oos",), lambda: OutOfScope("clinc150_oos", rows="split")),
        Case("Domains", ("arsc",), lambda: Domains("arsc")),
        Case("Domains", tuple(sentiment), lambda: Domains(",".join(sentiment), split=_sources(sentiment))),
        Case("PublishedEpisodes", ("leopard",), _leopard),
        Case(
            "TextPairs",
            ("leopard",),
            lambda: TextPairs("leopard", reading=Reading(only={"task": ["scitail"]})),
        ),
        Case("Inflections", ("gen_inflection",), Inflections),
        Case("MaskedWords", ("subj",), lambda: MaskedWords("subj")),
        Case("Views", ("trec",), lambda: Views("trec", "fine", split_by="label", split=_thirds())),
        Case("Views", ("arsc",), lambda: Views("arsc", "task", reading=Reading(before={"task": "."}))),
    ]
    for name in GENERATION:
        found.append(Case("Records", (name,), partial(Records, name)))
        found.append(Case("Matching", (name,), partial(Matching, name, 4, 4)))
    return found


def _variable() -> TaskFamily:
    return VariableWayShot("banking77_official", most_way=10, most_support=50, queries=5)


def _leopard() -> TaskFamily:
    lists = {"train": LEOPARD[:6], "valid": LEOPARD[6:8], "test": LEOPARD[8:]}
    columns = Columns()
    reading = Reading(only={"task": LEOPARD})
    return PublishedEpisodes("leopard", 4, 5, columns, split=ClassSplit(lists=lists), reading=reading)


def _sources(names: list[str]) -> ClassSplit:
    return ClassSplit(lists={"train": names[:2], "valid": names[2:3], "test": names[3:]})


def _thirds() -> ClassSplit:
    return ClassSplit(fractions=(0.34, 0.33, 0.33))

"""The families that are known by name. A new one is one file and one line here."""

from fewshot.tasks.attributes import Attributes
from fewshot.tasks.coarse import CoarseToFine
from fewshot.tasks.crossdomain import CrossDomain
from fewshot.tasks.dialogue import Dialogue
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

FAMILIES: dict[str, type[TaskFamily]] = {
    "Attributes": Attributes,
    "NWayKShot": NWayKShot,
    "VariableWayShot": VariableWayShot,
    "Mixture": Mixture,
    "CrossDomain": CrossDomain,
    "CoarseToFine": CoarseToFine,
    "Domains": Domains,
    "TextPairs": TextPairs,
    "PublishedEpisodes": PublishedEpisodes,
    "OutOfScope": OutOfScope,
    "MaskedWords": MaskedWords,
    "Views": Views,
    "Records": Records,
    "Inflections": Inflections,
    "Matching": Matching,
    "Dialogue": Dialogue,
    "StringTasks": StringTasks,
}

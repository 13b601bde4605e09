"""The families that are known by name. A new one is one file and one line here."""

from fewshot.tasks.attributes import Attributes
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.nway import NWayKShot

FAMILIES: dict[str, type[TaskFamily]] = {"Attributes": Attributes, "NWayKShot": NWayKShot}

"""The releases that are known by name. A new one is one file and one line here."""

from fewshot.releases.arsc import ARSC
from fewshot.releases.bao import BAO
from fewshot.releases.leopard import LEOPARD
from fewshot.releases.protaugment import PROTAUGMENT
from fewshot.releases.release import Release

RELEASES: dict[str, Release] = {
    "protaugment": PROTAUGMENT,
    "bao": BAO,
    "leopard": LEOPARD,
    "arsc": ARSC,
}

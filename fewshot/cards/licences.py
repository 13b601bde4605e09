"""Licences as they are stated beside what a run is made from: its data and its backbone. None is guessed."""

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import try_to_load_from_cache

from fewshot.data.catalogue import entry_of
from fewshot.data.find import Reference, find_source, folder_of
from fewshot.untrusted.values import read_text
from fewshot.untrusted.yaml_files import front_matter

CARD = "README.md"  # of a model or a data set of the hub
SAID = re.compile(r"^[-* ]*licen[cs]e[^:]*: *(?P<text>.+)$", re.MULTILINE | re.IGNORECASE)
LARGEST = 16 << 20  # bytes of a card
OTHER = ("other", "unknown")  # what the hub calls licences that it has no id for


class Stated(NamedTuple):
    """A licence.

    Args:
        text: as it is stated.
        id: the hub's id for it; None where it is stated in words.
    """

    text: str
    id: str | None = None


def stated_by_source(source: str, revision: str | None = None) -> Stated | None:
    """What a data set says: its SOURCE.md, as `python -m fewshot.releases` writes it, or its card on the hub.

    Args:
        source: as a run names it: a path, a name inside FEWSHOT_DATA or of the catalogue, a hub id.
        revision: of a data set of the hub; only what was downloaded with it is read.
    """
    with contextlib.suppress(OSError, ValueError):  # what cannot be read states nothing
        folder = folder_of(source)
        if folder is None:
            entry = entry_of(source)
            id_ = Reference.parse(entry.hub if entry else source).id
            file = try_to_load_from_cache(id_, CARD, revision=revision, repo_type="dataset")
            return _front(Path(file)) if isinstance(file, str) else None
        if (folder / "SOURCE.md").is_file():
            found = SAID.search(read_text(folder / "SOURCE.md", LARGEST))
            return Stated(" ".join(found["text"].split())) if found else None
        # beside a lone file lies the README of a project, not of its data
        return _front(folder / CARD) if find_source(source) == folder else None
    return None


def stated_by_backbone(name: str) -> Stated | None:
    """What the card of a backbone says, as far as it lies on this disk.

    Args:
        name: a folder or a hub id.
    """
    with contextlib.suppress(OSError, ValueError):
        folder = Path(name).expanduser()
        if folder.is_dir():
            return _front(folder / CARD)
        file = try_to_load_from_cache(name, CARD)
        return _front(Path(file)) if isinstance(file, str) else None
    return None


def common(stated: Iterable[Stated | None]) -> str | None:
    """The hub's id of the licence that all of them state; None where one states none, or another."""
    ids = {each.id if each else None for each in stated}
    return ids.pop() if len(ids) == 1 else None


def _front(card: Path) -> Stated | None:
    """The licence in the metadata of a card."""
    said = front_matter(read_text(card, LARGEST)) if card.is_file() else {}
    if not isinstance(said, dict):
        return None
    found = said.get("license")
    names = [str(each) for each in (found if isinstance(found, list) else [found]) if each]
    if not names:
        return None
    if len(names) > 1 or names[0] in OTHER:
        return Stated(str(said.get("license_name") or ", ".join(names)))
    return Stated(names[0], names[0])

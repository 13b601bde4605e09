"""Manifests: the exact episodes of an evaluation, as hashes of their rows, to be shared and drawn again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fewshot.data.example import Example
from fewshot.data.split import SIDES, Side
from fewshot.errors import InputError
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.untrusted.values import read_json

SCHEMA = 1
SETS = ("support", "query", "outside", "augmented")


def manifest(
    family: TaskFamily, side: Side, seed: int, drawn: Sequence[Episode], repeats: int = 1
) -> dict[str, Any]:
    """What a file says of the episodes 0, 1, 2, ... of a seed: no texts, but hashes of them.

    Args:
        family: the whole family that drew them.
        side: of which side they are.
        seed: from which they were drawn.
        drawn: the episodes in order.
        repeats: how often the classes of an episode were drawn from.
    """
    origins = {pool.origin.name: pool.origin for pool in family.split(side).pools()}
    return {
        "schema": SCHEMA,
        "side": side,
        "seed": seed,
        "repeats": repeats,
        "sources": [
            {"name": name, "revision": origin.revision, "sha256": origin.sha256}
            for name, origin in sorted(origins.items())
        ],
        "episodes": [_entry(episode) for episode in drawn],
    }


def _entry(episode: Episode) -> dict[str, Any]:
    sets = {name: [example.hash for example in getattr(episode, name)] for name in SETS}
    return {"source": episode.source, "classes": list(episode.classes)} | {k: v for k, v in sets.items() if v}


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read.

    Args:
        file: where it lies.
        side: of which side its episodes are.
        seed: from which they were drawn.
        repeats: how often the classes of an episode were drawn from.
        sources: name, revision and SHA-256 of the data.
        entries: the episodes.
    """

    file: Path
    side: Side
    seed: int
    repeats: int
    sources: Sequence[Mapping[str, Any]]
    entries: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, file: Path) -> "Manifest":
        """Reads a file.

        Raises:
            InputError: no file, or no manifest.
        """
        try:
            content = read_json(file)
            if content["schema"] != SCHEMA or content["side"] not in SIDES or not content["episodes"]:
                raise ValueError(f"schema {content['schema']}, side {content['side']!r}")
            for number, entry in enumerate(content["episodes"]):
                _check_entry(entry, f"episode {number}")
            for source in content["sources"]:
                _check_source(source)
            seed, repeats = int(content["seed"]), int(content.get("repeats", 1))  # older ones have none
            if seed < 0 or repeats < 1:
                raise ValueError(f"seed {seed}, repeats {repeats}")
            return cls(file, content["side"], seed, repeats, content["sources"], content["episodes"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                "this is no manifest of episodes",
                where=file,
                got=f"{type(error).__name__}: {error}",
                needed="the manifest.json of an evaluation",
            ) from error


def _check_entry(entry: Any, place: str) -> None:
    """Refuses what is no episode: sets of hashes with the names of its classes."""
    lists = ("classes", "support", "query", *(name for name in SETS if name in entry))
    wrong = [name for name in lists if not _holds_texts(entry[name])]
    if wrong or not isinstance(entry["source"], str):
        raise TypeError(f"{place}: {(wrong or ['source'])[0]} holds something else than texts")


def _check_source(source: Any) -> None:
    named, *pins = (source[name] for name in ("name", "revision", "sha256"))
    if not isinstance(named, str) or not all(pin is None or isinstance(pin, str) for pin in pins):
        raise TypeError("a source whose name or checksum is no text")


def _holds_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


class Replayed(TaskFamily):
    """The episodes of a manifest, built from the rows of a family that have these hashes.

    A family that makes its texts up has no rows: its episodes are drawn from the manifest's seed and
    compared.

    Args:
        family: where the rows are.
        manifest: which episodes.

    Raises:
        InputError: another file than the one that the manifest was made from, or rows that are missing.
    """

    def __init__(self, family: TaskFamily, manifest: Manifest) -> None:
        self._family, self._manifest = family.split(manifest.side), manifest
        pools = self._family.pools()
        self._rows: dict[str, Example] = {}
        if pools:
            self._check_files()
            wanted = {key for entry in manifest.entries for name in SETS for key in entry.get(name, ())}
            found = (e for pool in pools for label in pool.classes for e in pool.all_of(label))
            self._rows = {key: example for example in found if (key := example.hash) in wanted}

    def __len__(self) -> int:
        return len(self._manifest.entries)

    def split(self, side: Side) -> TaskFamily:
        """Itself: a manifest is of one side.

        Raises:
            InputError: another side.
        """
        if side != self._manifest.side:
            raise InputError(
                f"the manifest has no {side} episodes",
                where=self._manifest.file,
                got=f"episodes of the side {self._manifest.side}",
                needed=f"a manifest of the side {side}",
            )
        return self

    def episode(self, index: int, generator: np.random.Generator) -> Episode:
        """Episode `index` of the manifest; nothing is drawn from `generator`.

        Raises:
            InputError: beyond the last, or it cannot be built.
        """
        if index >= len(self):
            raise InputError(
                "the manifest has fewer episodes",
                where=self._manifest.file,
                got=f"episode {index + 1}",
                needed=f"at most {len(self)}, by --episodes",
            )
        entry = self._manifest.entries[index]
        found = self._built(entry) or self._drawn(index)
        if {**_entry(found), "source": ""} != {**entry, "source": ""}:  # it may lie elsewhere now
            raise InputError(
                f"episode {index} of the manifest cannot be drawn again",
                where=self._manifest.file,
                got="rows that the data does not have, or another family or split",
                needed="the data, the family and the version that it was made with",
            )
        return found

    def _built(self, entry: Mapping[str, Any]) -> Episode | None:
        """From rows alone; None where some are not rows, such as augmented or masked texts."""
        try:
            sets = {name: tuple(self._rows[key] for key in entry.get(name, ())) for name in SETS}
        except KeyError:
            return None
        return Episode(classes=tuple(entry["classes"]), source=entry["source"], **sets)

    def _drawn(self, index: int) -> Episode:
        wanted = self._manifest
        return next(episodes(self._family, wanted.side, wanted.seed, [index], wanted.repeats))

    def _check_files(self) -> None:
        ours = {pool.origin.name: pool.origin for pool in self._family.pools()}
        for theirs in self._manifest.sources:
            alone = next(iter(ours.values())) if len(ours) == len(self._manifest.sources) == 1 else None
            origin = ours.get(theirs["name"], alone)  # it may be called otherwise now
            for what in ("sha256", "revision"):
                if origin and theirs[what] and getattr(origin, what) != theirs[what]:
                    raise InputError(
                        "the data is not what the manifest was made from",
                        where=origin.name,
                        got=f"{what} {getattr(origin, what)}",
                        needed=f"{what} {theirs[what]}, as in {self._manifest.file}",
                        fix="take the same data, or evaluate without the manifest",
                    )

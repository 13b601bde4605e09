"""What a table is made of: cells, and the trainings that they share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.cells import is_done

Config = Mapping[str, Any]  # in the form of `config.yaml`, or a part of it


@dataclass(frozen=True)
class Corpus:
    """What meta-training has.

    Args:
        name: such as 'banking77-01'; trainings of the same name are the same.
        family: the task family, in the form of the section `family` of a configuration.
        further: further labelled data sets for it; where no texts are clustered, the recipe takes them.
        texts: the data set whose texts are clustered to pseudo-classes; none where this is empty.
        training: what differs in the recipe's section `training`.
    """

    name: str
    family: Config
    further: tuple[str, ...] = ()
    texts: str = ""
    training: Config = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A method on some data at some number of shots.

    Args:
        table: whose it is.
        dataset: what is tested on.
        fold: of its splits.
        way: classes in an episode; None where it varies.
        shot: support examples a class.
        family: gives the test episodes, in the form of the section `family` of a configuration.
        corpus: what is trained on.
        method: a name in `benchmarks.tables.methods`.
        seed: of the training; the test episodes are the same for all.
        most: test episodes, where there are only so many.
        side: whose episodes they are: 'valid' where something is chosen by them.
    """

    table: str
    dataset: str
    fold: str
    way: int | None
    shot: int
    family: Config
    corpus: Corpus
    method: str
    seed: int = 0
    most: int | None = None
    side: Literal["test", "valid"] = "test"

    @property
    def name(self) -> str:
        """Such as 'banking77-01-1shot-chosen-0'."""
        return f"{self.dataset}-{self.fold}-{self.shot}shot-{self.method}-{self.seed}"

    def path(self, folder: Path) -> Path:
        """Where its result lies."""
        return folder / f"{self.name}.json"

    def episodes(self, wanted: int) -> int:
        """How many there are to be tested on."""
        return min(wanted, self.most or wanted)

    def is_done(self, folder: Path, quick: bool, episodes: int) -> bool:
        """Whether its result is there, of the same effort."""
        return is_done(self.path(folder), quick, self.episodes(episodes))

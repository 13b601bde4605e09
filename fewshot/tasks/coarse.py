"""Coarse to fine: meta-training tells large classes apart, the test the small ones inside a large one.

After Bukchin, Schwartz, Saenko, Shahar, Feris, Giryes, Karlinsky: Fine-grained Angular Contrastive Learning
with Coarse Labels, CVPR 2021, https://arxiv.org/abs/2012.03515, where training sees coarse labels alone. Here
the coarse classes are disjoint between the sides as well.
"""

from collections.abc import Mapping
from pathlib import Path

from fewshot.data.augment import Augmentation
from fewshot.data.find import Columns, folder_of
from fewshot.data.pool import Given, Pool
from fewshot.data.reading import Reading
from fewshot.data.split import SIDES, ClassSplit, Side, split_classes
from fewshot.errors import InputError, listing
from fewshot.tasks.family import TaskFamily
from fewshot.tasks.sampler import PoolTasks
from fewshot.tasks.several import Several
from fewshot.tasks.sided import Sided
from fewshot.untrusted.values import read_json

Groups = Mapping[str, list[str]]


class CoarseToFine(Sided):
    """Meta-training on coarse classes; validation and test on the fine classes of one coarse class at a time.

    Args:
        source: as for NWayKShot.
        coarse: the column with the coarse class; or a JSON file beside the data, coarse class to list of fine
            ones, such as domains.json; or a sign, such as '/', before which a label names its coarse class.
        way: classes in an episode (N).
        shot: support examples a class (K).
        queries: query examples a class (Q).
        columns: which columns hold text and (fine) label.
        split: which coarse classes are for meta-training, validation and test.
        reading: which rows are read, and how they are cleaned.
        augmentation: of support sets.

    Raises:
        InputError: a fine class in two coarse ones, a side without a coarse class of N fine ones.
    """

    def __init__(
        self,
        source: Given,
        coarse: str,
        way: int = 5,
        shot: int = 5,
        queries: int = 5,
        columns: Columns = Columns(),
        split: ClassSplit = ClassSplit(),
        reading: Reading = Reading(),
        augmentation: Augmentation = Augmentation(),
    ) -> None:
        self._pool, groups = _grouped(source, coarse, columns, reading)
        name = self._pool.name
        chosen = split_classes(split, sorted(groups), None, Path(name).name)
        known = {side: {c: groups[c] for c in chosen[side] if c in groups} for side in SIDES}
        absent = [c for side in SIDES for c in chosen[side] if c not in groups]
        if absent:
            raise InputError(
                f"the split names {len(absent)} coarse classes that the data does not have",
                where=name,
                got=listing(map(repr, absent)),
                needed=f"some of {listing(sorted(groups))}",
            )
        sides: dict[Side, TaskFamily] = {}
        for side, own in known.items():
            if own and side == "train":
                sides[side] = PoolTasks(
                    self._pool.grouped(own).renamed(f"{name} (train)"), way, shot, queries
                )
            elif own:
                sides[side] = self._fine(own, side, way, shot, queries)
        super().__init__(sides, name, augmentation, {"source": self._pool})

    def _fine(self, groups: Groups, side: Side, way: int, shot: int, queries: int) -> TaskFamily:
        large = {c: fine for c, fine in groups.items() if len(fine) >= way}
        if not large:
            raise InputError(
                "no coarse class is large enough",
                where=f"{self._pool.name} ({side})",
                got=listing(f"{c}: {len(fine)}" for c, fine in groups.items()),
                needed=f"one with {way} fine classes",
                fix="lower way, or give this side other coarse classes",
            )
        pools = [
            self._pool.only(fine).renamed(f"{self._pool.name}/{c} ({side})") for c, fine in large.items()
        ]
        return Several([PoolTasks(pool, way, shot, queries) for pool in pools])


def _grouped(source: Given, coarse: str, columns: Columns, reading: Reading) -> tuple[Pool, Groups]:
    """The pool of fine classes, and the fine classes of each coarse one."""
    if coarse.endswith(".json"):
        pool = Pool.load(source, columns, reading)
        return pool, _from_file(pool, source, coarse)
    if not any(sign.isalnum() for sign in coarse):
        pool = Pool.load(source, columns, reading)
        found: dict[str, list[str]] = {}
        for label in pool.classes:
            found.setdefault(label.split(coarse)[0], []).append(label)
        return pool, found
    pool = Pool.load(source, columns, reading, also=[coarse])
    groups = {name: list(part.classes) for name, part in pool.parts(coarse).items()}
    _check_apart(groups, pool.name)
    return pool, groups


def _from_file(pool: Pool, source: Given, name: str) -> Groups:
    file = (folder_of(source) or Path(".")) / name
    try:
        content = read_json(file)
        groups = {str(coarse): [str(label) for label in fine] for coarse, fine in content.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            "the file of coarse classes cannot be read",
            where=file,
            got=str(error).splitlines()[0],
            needed='{"coarse class": ["fine class", ...], ...}',
        ) from error
    _check_apart(groups, str(file))
    return {c: list(pool.only(fine, f"fine {c}").classes) for c, fine in groups.items()}


def _check_apart(groups: Groups, where: str) -> None:
    owner: dict[str, str] = {}
    for coarse, fine in groups.items():
        for label in fine:
            if label in owner:
                raise InputError(
                    f"the class {label!r} stands in two coarse ones",
                    where=where,
                    got=f"{owner[label]!r} and {coarse!r}",
                    needed="one coarse class for each fine one",
                )
            owner[label] = coarse

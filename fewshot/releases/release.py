"""What is known of a release: its files, and how they become data sets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fewshot.errors import InputError, listing, suggestion
from fewshot.releases.dataset import DataSet
from fewshot.releases.tree import Tree


class NoTextsError(InputError):
    """A data set of which the release has labels but no texts."""


@dataclass(frozen=True)
class Release:
    """A distribution of one or several data sets.

    Args:
        repository: where it is published.
        wanted: data set -> patterns of the files by which it is found, "/" between folders.
        convert: reads a data set out of the tree; the last argument is the most rows to keep of a class,
            None for all.
    """

    repository: str
    wanted: Mapping[str, tuple[str, ...]]
    convert: Callable[[Tree, str, int | None], DataSet]

    def find(self, tree: Tree, only: Sequence[str]) -> tuple[Tree, list[str]]:
        """The tree from where the files of the release begin, and the data sets that are there.

        Args:
            tree: what the user gave; the release may lie deeper.
            only: the data sets that are asked for; none means all.

        Raises:
            InputError: an unknown name, or no files of what was asked for.
        """
        for name in only:
            if name not in self.wanted:
                raise InputError(
                    f"unknown data set {name!r}",
                    where="--only",
                    needed=f"one that {self.repository} has",
                    fix=suggestion(name, self.wanted),
                )
        rooted = tree.rooted([pattern for patterns in self.wanted.values() for pattern in patterns])
        asked = [name for name in self.wanted if name in only or not only]
        there = [name for name in asked if rooted and any(map(rooted.holds, self.wanted[name]))]
        missing = [name for name in only if name not in there]
        if rooted is None or not there or missing:
            raise self._nothing(tree, missing or asked)
        return rooted, there

    def _nothing(self, tree: Tree, names: Sequence[str]) -> InputError:
        looked = [pattern for name in names for pattern in self.wanted[name]]
        return InputError(
            f"no files of {listing(names)} were found",
            where=tree.source,
            got=f"{len(tree.names)} files: {listing(tree.names, 3)}" if tree.names else "no files",
            needed=f"files such as {listing(looked)}, at any depth",
            fix=f"give a copy of {self.repository}, or a folder that holds one",
        )

    def data_sets(
        self, tree: Tree, names: Sequence[str], only: Sequence[str], most: int | None
    ) -> list[DataSet]:
        """The data sets of these names, converted; those without texts only where they are asked for.

        Raises:
            InputError: what is wrong in a file, with its line.
        """
        done: list[DataSet] = []
        refused: NoTextsError | None = None
        for name in names:
            try:
                data = self.convert(tree, name, most)
            except NoTextsError as error:
                if name in only:
                    raise
                refused = error
                continue
            if not data.rows:
                raise InputError(
                    f"{name} has no rows",
                    where=tree.source,
                    needed="at least one",
                    fix="fetch the release again",
                )
            done.append(data)
        if refused and not done:
            raise refused
        return done

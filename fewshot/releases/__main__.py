"""`python -m fewshot.releases`: turns an original distribution into folders of this project's layout."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fewshot.errors import FewshotError, InputError, suggestion
from fewshot.releases.layout import Written, check_free, write
from fewshot.releases.releases import RELEASES
from fewshot.releases.tree import open_tree

EXAMPLE = """what a RELEASE has:
{releases}

example:
  scripts/prepare_data protaugment https://github.com/tdopierre/ProtAugment/archive/COMMIT.zip \\
      --out data --only banking77
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; exit codes as those of `fewshot`."""
    given = _parser().parse_args(arguments)
    try:
        for written in _prepare(given):
            print(written, flush=True)
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    known = "\n".join(f"  {name:<12}{', '.join(release.wanted)}" for name, release in RELEASES.items())
    parser = argparse.ArgumentParser(
        prog="scripts/prepare_data",
        description="Turns an original few-shot distribution into folders that FEWSHOT_DATA can name.",
        epilog=EXAMPLE.format(releases=known),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("release", metavar="RELEASE", help=f"one of {', '.join(RELEASES)}")
    parser.add_argument(
        "source", metavar="PATH_OR_URL", help="a folder, an archive, or the URL of an archive"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="where the folders are written"
    )
    parser.add_argument(
        "--only", metavar="NAME", nargs="+", default=[], help="only these data sets of the release"
    )
    parser.add_argument(
        "--rows-per-class", metavar="N", type=int, help="keep the rows with the smallest SHA-1"
    )
    parser.add_argument("--sha256", metavar="HEX", help="what the archive must have")
    parser.add_argument("--overwrite", action="store_true", help="replace data sets that are there")
    return parser


def _prepare(given: argparse.Namespace) -> Iterator[Written]:
    """Everything is read and checked before the first folder is written."""
    if given.release not in RELEASES:
        raise InputError(
            f"unknown release {given.release!r}",
            needed="a distribution that can be converted",
            fix=suggestion(given.release, RELEASES),
        )
    if given.rows_per_class is not None and given.rows_per_class < 1:
        raise InputError("--rows-per-class is too small", got=given.rows_per_class, needed="1 or more")
    release = RELEASES[given.release]
    with open_tree(given.source, given.sha256) as tree:
        rooted, names = release.find(tree, given.only)
        check_free(given.out, names, given.overwrite)
        data_sets = release.data_sets(rooted, names, given.only, given.rows_per_class)
    for name in names:
        if name not in [data.name for data in data_sets]:
            print(f"note: {name} is left out: its file has no texts", file=sys.stderr)
    for data in data_sets:
        yield write(data, given.out)


if __name__ == "__main__":
    sys.exit(main())

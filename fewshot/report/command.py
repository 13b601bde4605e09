"""`fewshot report`."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from fewshot.errors import InputError, suggestion
from fewshot.files import write_text
from fewshot.report.content import content_of
from fewshot.report.formats import FORMATS
from fewshot.report.parsing import AGAIN, WHOLE
from fewshot.report.reading import ReportedRun, read_runs

SUFFIXES = {".html": "html", ".htm": "html", ".md": "md", ".csv": "csv", ".json": "json", ".tex": "latex"}
KNOWN = ("html", *FORMATS)
REPORT = """Tables and pictures of runs in one page that needs no network.

RUN is a run directory, or one of its evaluations (RUN/evaluations/NAME). Several runs are compared with the
first, and must have been tested on the same episodes."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(
            "the command line is wrong", where=self.prog, got=message, fix=self.format_usage().strip()
        )


def report(arguments: Sequence[str]) -> int:
    """Writes the report of one or several runs."""
    asked = _parser().parse_args(list(arguments))
    kind = _format(asked.format, asked.out)
    out = _out(asked.out, kind, asked.runs[0])
    runs = read_runs(asked.runs)
    try:
        text = _text(kind, runs, shlex.join(["fewshot", "report", *arguments]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            "a file of a run has not the shape that it was written with",
            where=", ".join(str(run.folder) for run in runs),
            got=f"{type(error).__name__}: {error}",
            needed=WHOLE,
            fix=f"{AGAIN}; --debug shows where it was missed",
        ) from error
    if out is None:
        sys.stdout.write(text)
        return 0
    write_text(out, text)
    Console().print(f"written to {out}", soft_wrap=True, highlight=False, markup=False)
    return 0


def _text(kind: str, runs: Sequence[ReportedRun], command: str) -> str:
    content = content_of(runs, command)
    if kind != "html":
        return FORMATS[kind](content)
    from fewshot.report.page import page  # here: it imports matplotlib, which takes a second

    return page(runs, content)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fewshot report",
        description=REPORT,
        epilog="example: fewshot report runs/demo --out report.html",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run directories, or evaluations of them")
    written = (
        "the file to write; by default report.html in the first RUN, other formats go to standard output"
    )
    parser.add_argument("--out", metavar="FILE", help=written)
    formats = f"one of {', '.join(KNOWN)}; by default what --out ends with, else html"
    parser.add_argument("--format", metavar="FORMAT", help=formats)
    return parser


def _format(asked: str | None, out: str | None) -> str:
    if asked is not None and asked not in KNOWN:
        raise InputError(f"unknown format {asked!r}", where="--format", fix=suggestion(asked, KNOWN))
    if asked or out is None:
        return asked or "html"
    suffix = Path(out).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            "the format is not clear",
            where=f"--out {out}",
            got=f"a name that ends with {suffix!r}" if suffix else "a name without an ending",
            needed=f"an ending among {', '.join(SUFFIXES)}, or --format",
        )
    return SUFFIXES[suffix]


def _out(asked: str | None, kind: str, first: str) -> Path | None:
    """The file to write; None for standard output."""
    if asked is None:
        return Path(first) / "report.html" if kind == "html" else None
    out = Path(asked)
    if out.is_dir():
        raise InputError("--out names a folder", where=out, needed="the name of a file, such as report.html")
    return out

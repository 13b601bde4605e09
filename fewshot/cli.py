"""The command `fewshot`."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from fewshot.errors import FewshotError, InputError, SaidError, shown, suggestion
from fewshot.untrusted.places import was_handed_over
from fewshot.versions import PACKAGE, version_of

COMMANDS = {
    "train": "meta-train, evaluate on the test side, write a run directory",
    "evaluate": "adapt the model of a run to test episodes and score them",
    "compare": "a run and baselines on the same episodes, with paired differences",
    "report": "tables and pictures of runs in one page, or a table for a paper",
    "search": "search settings and models on validation episodes until they are good enough",
    "adapt": "learn a task from labelled examples, with a run or the adapter that comes with the package",
    "predict": "label texts with what was adapted, JSON lines out",
    "compress": "a run or an adapted task with an adapter of fewer bytes",
    "serve": "a local page: paste examples, see them learned, label texts, correct it",
    "push": "upload a finished run to the Hugging Face hub, as a repository that PEFT loads from",
    "cluster": "pseudo-classes of texts without labels, to meta-train on",
    "doctor": "versions, devices, what is missing and the command that mends it",
}
TOGETHER = ("train", "evaluate")  # commands that several processes can run

USAGE = (
    "usage: fewshot COMMAND ...\n\n"
    "Gradient-based few-shot meta-learning for language models.\n\n"
    + "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
    + "\n\n`fewshot COMMAND --help` shows its options, their defaults and an example;\n"
    "`fewshot --version` the version. --debug, anywhere, shows the traceback of an error.\n"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0 done; 1 the work failed; 2 the input or the command line is wrong; 130 or 143 stopped
        by Ctrl-C or SIGTERM.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    _make_own_code_known()
    try:
        return _run([word for word in words if word != "--debug"])
    except SaidError as error:
        return error.exit_code
    except FewshotError as error:
        if debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # who reads the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        said = shown(f"{type(error).__name__}: {error}")
        print(f"error: {said}\n  do:     add --debug to see where", file=sys.stderr)
        return 1


def _make_own_code_known() -> None:
    """Puts the working directory on the path, for classes of the user's, but for that of a run or a task."""
    here = os.getcwd()
    if was_handed_over(Path(here)):
        sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]
    elif here not in sys.path:
        sys.path.append(here)


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if words else 2
    if words[0] == "--version":
        print(PACKAGE, version_of(PACKAGE))
        return 0
    if words[0] not in COMMANDS:
        raise InputError(f"unknown command {words[0]!r}", fix=suggestion(words[0], COMMANDS))
    if words[0] not in TOGETHER and "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        if os.environ["RANK"] != "0":
            raise SaidError(2)
        raise InputError(
            f"`fewshot {words[0]}` is for one process",
            where="WORLD_SIZE",
            got=os.environ["WORLD_SIZE"],
            needed=f"1; of more processes there are {' and '.join(TOGETHER)}",
            fix="start it without torchrun or accelerate launch",
        )
    return _command(words[0])(words[1:])


def _command(name: str) -> Callable[[Sequence[str]], int]:
    """The function of a command; imported here, so that help and spelling errors come at once."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if name == "doctor":
        from fewshot.doctor import doctor

        return doctor
    if name == "report":
        from fewshot.report.command import report

        return report
    if name == "search":
        from fewshot.search.command import search

        return search
    if name == "cluster":
        from fewshot.clusters import cluster

        return cluster
    if name == "serve":
        from fewshot.serve.command import serve

        return serve
    if name == "push":
        from fewshot.push import push

        return push
    if name == "compress":
        from fewshot.classify.compress import compress

        return compress
    if name in ("adapt", "predict"):
        from fewshot.classify import commands as using

        return {"adapt": using.adapt, "predict": using.predict}[name]
    from fewshot import commands

    return {"train": commands.train, "evaluate": commands.evaluate_run, "compare": commands.compare_runs}[
        name
    ]

"""The command `fewshot push`: a run as a repository of the Hugging Face hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from fewshot.cards.facts import ADAPTER_CONFIG, Adapter, is_hub_id
from fewshot.cards.licences import CARD
from fewshot.config import Parser, parse
from fewshot.errors import InputError
from fewshot.run import RunFolder
from fewshot.untrusted.paths import stays
from fewshot.versions import PACKAGE, version_of

PUSH = """Upload a finished run to the Hugging Face hub, as a repository that PEFT loads from.

Adapter, meta-parameters, configuration, figures and model card go; checkpoints, logs and texts stay. The
adapter's files stand at the top of the repository. README.md goes as it is: add a `license` at its head where
it has none. The token is that of `hf auth login` or of HF_TOKEN; HF_ENDPOINT names another hub."""
EXAMPLE = "example: fewshot push runs/questions --to someone/questions-few-shot --private"
FILES = (CARD, "run.json", "config.yaml", "summary.json", "tasks.csv", "meta.safetensors")
ADAPTER = (ADAPTER_CONFIG, "adapter_model.safetensors")  # in adapter/
LOGIN = "run `hf auth login`, or set HF_TOKEN"


def push(arguments: Sequence[str]) -> int:
    """`fewshot push`."""
    parser = Parser(
        prog="fewshot push",
        usage="fewshot push RUN --to OWNER/NAME [--private] [--revision BRANCH] [--message TEXT]",
        description=PUSH,
        epilog=EXAMPLE,
        exit_on_error=False,
    )
    parser.add_argument("run", type=str, help="a run directory")
    parser.add_argument("--to", type=str, required=True, help="the repository, made where it is not there")
    parser.add_argument("--private", action="store_true", help="for a repository that is made")
    parser.add_argument("--revision", type=str, help="a branch, made where it is not there; by default main")
    parser.add_argument("--message", type=str, help="of the commit")
    asked = parse(parser, arguments)
    folder = Path(asked.run)
    files = uploaded(folder)
    check_repository(asked.to)
    message = asked.message or f"{folder.resolve().name}, by {PACKAGE} {version_of(PACKAGE)}"
    url = upload(files, asked.to, message, private=asked.private, revision=asked.revision)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"{len(files)} files uploaded to {url}")
    adapter = Adapter.read(folder / "adapter")
    if not adapter.hub_base:
        console.print(f"{ADAPTER_CONFIG} names a base model that is none of the hub: {adapter.base}")
    return 0


def uploaded(folder: Path) -> dict[str, Path]:
    """The files of a run that are uploaded, by their names in the repository.

    Raises:
        InputError: no finished run, one without an adapter of PEFT's, or a file that is a link to elsewhere.
    """
    run = RunFolder(folder)
    run.check_readable()
    absent = [name for name in ADAPTER if not (folder / "adapter" / name).is_file()]
    if absent:
        raise InputError(
            "the run has no adapter that PEFT could read",
            where=folder / "adapter",
            got=f"no {' and no '.join(absent)}",
            needed="a run of LoraEncoder or LoraCausal, its adapter in float32 or bfloat16",
        )
    files = {name: folder / "adapter" / name for name in ADAPTER} | {name: folder / name for name in FILES}
    missing = [name for name, file in files.items() if not file.is_file()]
    if missing == [CARD]:
        raise InputError(
            "the run has no model card",
            where=folder,
            got=f"no {CARD}",
            needed=f"the {CARD} that training writes",
            fix=f"write one, or train again with {PACKAGE} {version_of(PACKAGE)}",
        )
    if missing:
        raise InputError(
            "the run is not finished",
            where=folder,
            got=f"no {', '.join(missing)}",
            needed="a run whose test came to its end",
        )
    return {name: stays(folder, file, folder) for name, file in files.items()}


def check_repository(name: str) -> None:
    """Refuses what can be no repository of the hub.

    Raises:
        InputError: another form than OWNER/NAME, or letters that the hub does not take.
    """
    if name.count("/") != 1 or not is_hub_id(name):
        raise InputError(
            "this is no name of a repository",
            where="--to",
            got=repr(name),
            needed="OWNER/NAME, of letters, digits, '-', '_' and '.'",
        )


def upload(
    files: dict[str, Path], repository: str, message: str, private: bool = False, revision: str | None = None
) -> str:
    """Uploads files in one commit, and makes the repository and the branch where they are not there.

    Args:
        files: by their names in the repository.
        repository: OWNER/NAME.
        message: of the commit.
        private: for a repository that is made.
        revision: a branch; None for main.

    Returns:
        The address of the repository.

    Raises:
        InputError: no token, an upload that is refused, a hub that cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    hub = HfApi()
    where = f"{hub.endpoint}/{repository}"
    if get_token() is None:
        raise _not_allowed("no token", where)
    added = [CommitOperationAdd(name, file) for name, file in files.items()]
    try:
        hub.create_repo(repository, private=private or None, exist_ok=True)
        if revision is not None:
            hub.create_branch(repository, branch=revision, exist_ok=True)
        hub.create_commit(repository, added, commit_message=message, revision=revision)
    except HfHubHTTPError as error:
        raise _refused(error, where) from error
    except ValueError as error:  # of the metadata of the card, which the hub checks
        raise InputError("the hub does not take the model card", where=where, got=_said(error)) from error
    except Exception as error:  # the client raises many kinds; all mean the same to the user
        raise InputError(
            "the hub cannot be reached",
            where=where,
            got=_said(error),
            needed=f"a connection to {hub.endpoint}",
            fix="check the network, HF_ENDPOINT and HF_HUB_OFFLINE, then run the command again",
        ) from error
    return where


def _refused(error: Any, where: str) -> InputError:
    """What to say of an answer of the hub."""
    status = error.response.status_code
    got = f"HTTP {status}: {error.server_message or error.response.reason_phrase}"
    if status in (401, 403):
        return _not_allowed(got, where)
    return InputError("the hub refuses the upload", where=where, got=" ".join(got.split()))


def _not_allowed(got: str, where: str) -> InputError:
    needed = "a token that may write to this repository"
    return InputError("the hub does not let this upload in", where=where, got=got, needed=needed, fix=LOGIN)


def _said(error: Exception) -> str:
    """An error on one line."""
    return " ".join(str(error).split()) or type(error).__name__

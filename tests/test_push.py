"""`fewshot push`, against a stand-in for the hub on this machine that keeps what comes."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import LearnerMaker
from standin_hub import ID, Hub, listening

from fewshot import MAML, Attributes, Evaluation, Trainer, Training, Validation
from fewshot.errors import InputError
from fewshot.push import push
from fewshot.versions import SCHEMA, version_of

PUSHED = {  # name in the repository -> in the run
    "README.md": "README.md",
    "run.json": "run.json",
    "config.yaml": "config.yaml",
    "summary.json": "summary.json",
    "tasks.csv": "tasks.csv",
    "meta.safetensors": "meta.safetensors",
    "adapter_config.json": "adapter/adapter_config.json",
    "adapter_model.safetensors": "adapter/adapter_model.safetensors",
}
KEPT = (
    "log.jsonl", "data.json", "manifest.json", "outputs.jsonl", "answers.safetensors", "inspection.json",
    "checkpoints/best.safetensors", "trackers/tensorboard/events", "evaluations/more/summary.json",
    "adapter/notes.txt",
)  # fmt: skip


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that takes everything, and a token for it."""
    with listening() as found:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", found.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_given")
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run, as far as its files matter here."""
    folder = tmp_path / "questions"
    for number, name in enumerate((*PUSHED.values(), *KEPT)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes([number]) * 50 + b"\r\n\x00")
    (folder / "run.json").write_text(json.dumps({"schema": SCHEMA}))
    (folder / "README.md").write_bytes("---\nlicense: mit\n---\n# é\n".encode())
    (folder / "adapter" / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    return folder


def refused(*words: object) -> str:
    """What is said of a command that does not go through."""
    with pytest.raises(InputError) as error:
        push([str(word) for word in words])
    assert error.value.exit_code == 2
    return str(error.value)


def test_files_arrive_byte_for_byte_and_nothing_else(
    hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push([str(run), "--to", ID]) == 0
    assert hub.files == {"main": {name: (run / file).read_bytes() for name, file in PUSHED.items()}}
    assert hub.messages == [f"questions, by fewshot {version_of('fewshot')}"]
    assert {token for _, token, _ in hub.asked} == {"Bearer hf_given"}
    assert hub.asked[0][0] == "/api/repos/create"
    assert hub.asked[0][2] == [{"name": "questions", "organization": "someone"}]
    assert capsys.readouterr().out == f"8 files uploaded to {hub.url}/{ID}\n"


def test_private_branch_and_message(hub: Hub, run: Path) -> None:
    assert push([str(run), "--to", ID, "--private", "--revision", "tried", "--message", "five-way"]) == 0
    assert hub.asked[0][2][0]["visibility"] == "private"
    assert f"/api/models/{ID}/branch/tried" in [path for path, _, _ in hub.asked]
    assert set(hub.files) == {"tried"}
    assert hub.messages == ["five-way"]


def test_a_repository_that_is_there_takes_it(hub: Hub, run: Path) -> None:
    hub.refuse = {"repos/create": (409, {"url": f"{hub.url}/{ID}"}), "/branch/": (409, {})}
    assert push([str(run), "--to", ID, "--revision", "main"]) == 0
    assert len(hub.files["main"]) == len(PUSHED)


def test_a_run_of_training_is_loaded_from_what_arrives(
    hub: Hub,
    make_learner: LearnerMaker,
    tiny_backbone: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import peft

    trained = Trainer(
        Attributes(way=3, shot=2, queries=2, mentions=3),
        make_learner(),
        MAML(inner_steps=1),
        Training(steps=1, meta_batch=1),
        Validation(every=0),
        Evaluation(episodes=2),
        out=tmp_path / "run",
    ).fit()
    assert push([str(tmp_path / "run"), "--to", ID]) == 0
    assert f"names a base model that is none of the hub: {tiny_backbone}" in capsys.readouterr().out
    (tmp_path / "fetched").mkdir()
    for name, content in hub.files["main"].items():
        (tmp_path / "fetched" / name).write_bytes(content)
    weights = peft.load_peft_weights(str(tmp_path / "fetched"), device="cpu")
    assert len(weights) == len(trained.model.adapter())


@pytest.mark.parametrize(
    ("part", "status"),
    [
        ("repos/create", 401),
        ("repos/create", 403),
        ("/preupload/", 401),
        ("/commit/", 403),
        ("/branch/", 403),
    ],
)
def test_a_token_that_may_not_is_said_with_the_way_in(hub: Hub, run: Path, part: str, status: int) -> None:
    hub.refuse = {part: (status, {"error": "not you"})}
    said = refused(run, "--to", ID, "--revision", "tried")
    assert said == (
        "the hub does not let this upload in\n"
        f"  where:  {hub.url}/{ID}\n"
        f"  got:    HTTP {status}: not you\n"
        "  needed: a token that may write to this repository\n"
        "  do:     run `hf auth login`, or set HF_TOKEN"
    )
    assert not hub.files


def test_without_a_token_nothing_is_asked(
    hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no token"))
    said = refused(run, "--to", ID)
    assert "  got:    no token\n" in said
    assert said.endswith("  do:     run `hf auth login`, or set HF_TOKEN")
    assert not hub.asked


def test_a_hub_that_is_not_there(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_given")
    said = refused(run, "--to", ID).splitlines()
    assert said[:2] == ["the hub cannot be reached", f"  where:  {url}/{ID}"]
    assert said[3:] == [
        f"  needed: a connection to {url}",
        "  do:     check the network, HF_ENDPOINT and HF_HUB_OFFLINE, then run the command again",
    ]


def test_a_hub_that_fails_is_quoted(hub: Hub, run: Path) -> None:
    hub.refuse = {"repos/create": (500, {"error": "out of order"})}
    assert refused(run, "--to", ID) == (
        f"the hub refuses the upload\n  where:  {hub.url}/{ID}\n  got:    HTTP 500: out of order"
    )


def test_a_card_that_the_hub_does_not_take(hub: Hub, run: Path) -> None:
    hub.refuse = {"validate-yaml": (400, {"errors": [{"message": '"license" must be one of ...'}]})}
    said = refused(run, "--to", ID)
    assert said.startswith("the hub does not take the model card\n")
    assert '"license" must be one of ...' in said
    assert not hub.files


@pytest.mark.parametrize("name", ["questions", "a/b/c", "some one/x", "someone/", "a/b--c", "someone/x.git"])
def test_a_wrong_repository_is_refused_before_anything_is_asked(hub: Hub, run: Path, name: str) -> None:
    said = refused(run, "--to", name)
    assert said.startswith("this is no name of a repository\n  where:  --to\n")
    assert "needed: OWNER/NAME" in said
    assert not hub.asked


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("run.json", "this is no run directory"),
        ("meta.safetensors", "the run is not finished"),
        ("summary.json", "the run is not finished"),
        ("README.md", "the run has no model card"),
        ("adapter/adapter_config.json", "the run has no adapter that PEFT could read"),
        ("adapter/adapter_model.safetensors", "the run has no adapter that PEFT could read"),
    ],
)
def test_what_is_no_whole_run_is_refused(hub: Hub, run: Path, missing: str, said: str) -> None:
    (run / missing).unlink()
    assert refused(run, "--to", ID).splitlines()[0] == said
    assert not hub.asked


def test_a_wrong_command_line(run: Path) -> None:
    assert "required" in refused(run)
    assert "did you mean --private?" in refused(run, "--to", ID, "--privte")

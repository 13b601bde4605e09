"""The command `fewshot cluster`: pseudo-classes of texts without labels, to meta-train on.

Hsu, Levine, Finn: Unsupervised Learning via Meta-Learning, ICLR 2019, https://arxiv.org/abs/1810.02334
(CACTUs): texts are clustered by k-means in a space that was learned without labels, here that of the frozen
backbone; episodes whose classes are clusters are episodes like any other.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jsonargparse.typing import lazy_instance
from rich.console import Console
from sklearn.cluster import KMeans

from fewshot.config import Parser, parse
from fewshot.data.find import Columns
from fewshot.data.pool import Pool
from fewshot.errors import InputError, require_at_least
from fewshot.files import whole, write_json, write_text
from fewshot.models.batch import Rows
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack
from fewshot.progress import Progress
from fewshot.run import check_free
from fewshot.versions import versions

CLUSTER = """Cluster texts by the features of a frozen backbone, and write them as a data set.

Labels are not looked at. The folder that is written is a source like any other, for meta-training on
pseudo-classes (--family.meta_training.unlabelled)."""
EXAMPLE = "example: fewshot cluster banking77 --clusters 100 --out runs/clusters/banking77"
AT_ONCE = 128  # texts


def cluster(arguments: Sequence[str]) -> int:
    """`fewshot cluster`."""
    parser = Parser(
        prog="fewshot cluster",
        usage="fewshot cluster SOURCE [--clusters K] --out FOLDER",
        description=CLUSTER,
        epilog=EXAMPLE,
        exit_on_error=False,
    )
    parser.add_argument("source", type=str, help="a file, a folder, a name inside FEWSHOT_DATA, a hub id")
    parser.add_argument("--out", type=str, required=True, help="the folder to write")
    parser.add_argument("--clusters", type=int, default=100, help="how many pseudo-classes")
    parser.add_argument("--seed", type=int, default=0, help="of k-means")
    parser.add_argument("--text", type=str, default="text", help="the column with the text")
    parser.add_subclass_arguments(Learner, "model", default=_exact(), help="whose features")
    parsed = parse(parser, arguments)
    require_at_least("fewshot cluster", parsed, clusters=2, seed=0)
    out = Path(parsed.out)
    check_free(out)
    pool = Pool.load(parsed.source, Columns(text=parsed.text, label=None))
    texts = pool.texts()
    if len(texts) < parsed.clusters:
        raise InputError(
            "more clusters than texts",
            where=pool.name,
            got=f"{parsed.clusters} clusters of {len(texts)} texts",
            needed="several texts for a cluster",
            fix="lower --clusters",
        )
    model: Learner = parser.instantiate(parsed).model
    features = frozen_features(model, texts, title="features")
    numbers = clusters_of(features, parsed.clusters, parsed.seed)
    origin = {"source": pool.origin.pinned, "sha256": pool.origin.sha256, "texts": len(texts)}
    made = {"clusters": parsed.clusters, "seed": parsed.seed, "ran": model.note(), "versions": versions()}
    _write(out, texts, numbers, origin | made)
    console = Console()
    console.print(f"{len(texts):,} texts in {parsed.clusters} clusters", highlight=False)
    console.print(f"written to {out}", soft_wrap=True, highlight=False, markup=False)
    return 0


def _exact() -> LoraEncoder:
    """The default model, in a precision that every machine has: a text near two clusters should not move."""
    compute = {"dtype": "float32", "products": "blas"}
    model: LoraEncoder = lazy_instance(LoraEncoder, lora={"layers": "all"}, compute=compute)
    return model


def frozen_features(model: Learner, texts: Sequence[str], title: str = "") -> npt.NDArray[np.float32]:
    """Unit-length features of texts without any adapter, (n, H).

    Args:
        model: whose backbone it is.
        texts: n texts.
        title: what the progress bar says; no bar where it is empty.
    """
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))  # of like length beside each other
    found = np.empty((len(texts), model.head.size), np.float32)
    with Progress(title, len(texts)) as progress, torch.no_grad():
        for places in (order[at : at + AT_ONCE] for at in range(0, len(order), AT_ONCE)):
            batch = model.place(model.batch(Rows.of(texts[n] for n in places)))
            found[places] = F.normalize(model.features(Stack({}), batch), dim=-1).float().cpu().numpy()
            progress.advance(len(places), "")
    return found


def clusters_of(features: npt.NDArray[np.float32], clusters: int, seed: int) -> npt.NDArray[np.int32]:
    """The number of each row's cluster, (n,), by k-means."""
    found: npt.NDArray[np.int32] = KMeans(clusters, n_init=1, random_state=seed).fit_predict(features)
    return found


def _write(out: Path, texts: Sequence[str], numbers: npt.NDArray[np.int32], about: dict[str, object]) -> None:
    """The folder, whole or not at all."""
    with whole(out) as folder:
        folder.mkdir()
        write_text(folder / "data.jsonl", "".join(_lines(texts, numbers)))
        write_json(folder / "clusters.json", about)


def _lines(texts: Sequence[str], numbers: npt.NDArray[np.int32]) -> Iterator[str]:
    for text, number in zip(texts, numbers.tolist(), strict=True):
        yield json.dumps({"text": text, "label": f"cluster {number}"}, ensure_ascii=False) + "\n"

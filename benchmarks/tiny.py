"""A backbone and a run so small that they take seconds, for checks of what does not depend on their size."""

from pathlib import Path

import torch

from fewshot.models.backbone import find_backbone

# options of a run; of what is given twice the last counts
TINY_RUN = (
    "--family.way=3", "--family.shot=1", "--family.queries=2", "--family.mentions=3",
    "--training.meta_batch=2", "--training.lr=0.01", "--validation.episodes=2",
    "--evaluation.episodes=2", "--evaluation.inspected=0", "--evaluation.influence=0",
    "--model.compute.dtype=float32", "--model.compute.products=blas",
)  # fmt: skip


def save_tiny(folder: Path) -> None:
    """Writes a BERT of three layers with random weights, always the same, and the real tokenizer."""
    import transformers

    transformers.AutoTokenizer.from_pretrained(find_backbone("minilm")).save_pretrained(folder)
    config = transformers.BertConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        initializer_range=0.1,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)

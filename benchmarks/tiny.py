"""A backbone so small that a run takes seconds, for checks of what does not depend on its size."""

from pathlib import Path

import torch

from fewshot.models.backbone import find_backbone


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

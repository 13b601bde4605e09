"""Small causal language models of several kinds, with random weights and the real tokenizer, in folders."""

from pathlib import Path
from typing import Any

import torch

SMALL: dict[str, Any] = {"vocab_size": 30522, "hidden_size": 32, "intermediate_size": 64}
SMALL |= {"num_hidden_layers": 3, "num_attention_heads": 4, "initializer_range": 0.1}
SHARED = SMALL | {"num_key_value_heads": 2}
# kind -> transformers' configuration, and what it is told
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", SHARED),
    "qwen2": ("Qwen2Config", SHARED | {"tie_word_embeddings": True}),
    "mistral": ("MistralConfig", SHARED | {"sliding_window": 4}),
    "gpt2": (
        "GPT2Config",
        {"vocab_size": 30522, "n_embd": 32, "n_layer": 3, "n_head": 4, "initializer_range": 0.1},
    ),
    "gemma2": ("Gemma2Config", SHARED | {"head_dim": 8, "final_logit_softcapping": 5.0}),
}
# rows of whole blocks, for 4 bits
WIDE = {"wide llama": ("LlamaConfig", SHARED | {"hidden_size": 64, "intermediate_size": 128})}


def save_causal(kind: str, place: Path) -> None:
    """Makes one."""
    import transformers

    from fewshot.models.backbone import find_backbone

    name, options = (KINDS | WIDE)[kind]
    auto: Any = transformers.AutoModelForCausalLM
    tokenizer = transformers.AutoTokenizer.from_pretrained(find_backbone("minilm"))
    tokenizer.eos_token = "[SEP]"
    tokenizer.save_pretrained(place)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        auto.from_config(getattr(transformers, name)(**options)).save_pretrained(place)

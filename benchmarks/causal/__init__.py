"""Causal language models: a small one pretrained here, and what is measured with it."""

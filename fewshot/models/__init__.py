"""Frozen language models with stacked adapters."""

"""Scores of tasks, statistics over tasks, and differences between methods; of arrays alone, not of models."""

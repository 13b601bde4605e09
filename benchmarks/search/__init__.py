"""Searches that the README shows."""

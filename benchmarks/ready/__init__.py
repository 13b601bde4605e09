"""The adapter that comes with the package: how it was trained."""

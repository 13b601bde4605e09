"""Published few-shot tables, cell by cell: `python -m benchmarks.tables`."""

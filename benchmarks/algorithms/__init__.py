"""Every algorithm and baseline on the same episodes: `python -m benchmarks.algorithms`."""

"""Text in: sources, pools and class splits."""

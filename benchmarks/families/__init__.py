"""Every task family on its real data."""

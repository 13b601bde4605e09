"""Made-up and spoilt input for everything that reads a file; nothing but clear errors may come of it."""

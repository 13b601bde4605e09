"""How fast an outer step is, beside the libraries that people meta-learn with today."""

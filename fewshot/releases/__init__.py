"""Original distributions of few-shot data, turned into folders of this project's layout."""

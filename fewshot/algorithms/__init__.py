"""Ways of learning a task, and the baselines beside them."""

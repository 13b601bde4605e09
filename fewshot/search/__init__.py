"""Model selection and hyper-parameter search: the loop that ends when it is good enough."""

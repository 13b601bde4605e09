"""A small local page: examples in, labels out, corrections learned."""

"""The book's experiments: one module per article, pure functions of a configuration and seeds."""

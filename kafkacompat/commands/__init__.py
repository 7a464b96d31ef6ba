"""The commands beside `serve`: format, dump, check."""

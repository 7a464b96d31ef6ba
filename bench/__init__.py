"""Benchmarks that print Markdown tables: `python -m bench --help`. Never part of the tests: nothing here asserts on a time."""

"""What the modules of this package declare: written by `python -m kafkacompat.api._registry`."""

INDEX: tuple[tuple[int, str, str, int, int, int], ...] = ()

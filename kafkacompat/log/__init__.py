"""The log: partitions of record batches over a store, and what the broker keeps per partition."""

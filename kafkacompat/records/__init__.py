"""Record batches: bytes of the v2 format, and what stands in them. Pure: no log, no topic, no time of its own."""

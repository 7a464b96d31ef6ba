"""Bytes <-> values. Knows how Kafka spells things on the wire, and nothing of what they mean."""

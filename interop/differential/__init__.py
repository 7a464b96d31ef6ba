"""The same requests to Apache Kafka and to ours, answers compared step by step (README.md)."""

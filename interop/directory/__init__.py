"""One data directory, served by Apache Kafka 4.3.1 and by ours in turn: what a client sees must not tell which of them wrote it."""

"""One module per API key of Kafka: its versions, its messages, its handler. The file list is the support table."""

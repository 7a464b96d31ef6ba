"""Topics, partitions, configs, features of the cluster: a pure machine over Kafka's own metadata records."""

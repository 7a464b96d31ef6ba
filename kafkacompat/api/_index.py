"""What the modules of this package declare: written by `python -m kafkacompat.api._registry`."""

INDEX: tuple[tuple[int, str, str, int, int, int], ...] = (
    (0, "produce", "Produce", 3, 13, 9),
    (1, "fetch", "Fetch", 4, 18, 12),
    (2, "list_offsets", "ListOffsets", 1, 11, 6),
    (3, "metadata", "Metadata", 0, 13, 9),
    (10, "find_coordinator", "FindCoordinator", 0, 6, 3),
    (17, "sasl_handshake", "SaslHandshake", 0, 1, 99),
    (18, "api_versions", "ApiVersions", 0, 4, 3),
    (19, "create_topics", "CreateTopics", 2, 7, 5),
    (20, "delete_topics", "DeleteTopics", 1, 6, 4),
    (21, "delete_records", "DeleteRecords", 0, 2, 2),
    (22, "init_producer_id", "InitProducerId", 0, 5, 2),
    (23, "offset_for_leader_epoch", "OffsetForLeaderEpoch", 2, 4, 4),
    (32, "describe_configs", "DescribeConfigs", 1, 4, 4),
    (33, "alter_configs", "AlterConfigs", 0, 2, 2),
    (36, "sasl_authenticate", "SaslAuthenticate", 0, 2, 2),
    (37, "create_partitions", "CreatePartitions", 0, 3, 2),
    (44, "incremental_alter_configs", "IncrementalAlterConfigs", 0, 1, 1),
    (60, "describe_cluster", "DescribeCluster", 0, 2, 0),
    (74, "list_config_resources", "ListConfigResources", 0, 1, 0),
    (75, "describe_topic_partitions", "DescribeTopicPartitions", 0, 0, 0),
)

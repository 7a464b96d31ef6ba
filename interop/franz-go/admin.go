package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafkacompat/interop/lineserver"
)

type walk struct {
	ctx    context.Context
	client *kgo.Client
	admin  *kadm.Client
	topic  string
	baseMs int64
}

// Admin walks through kadm with a topic of its own, c.Topic, which must not exist yet and does not afterwards.
func (franz) Admin(ctx context.Context, c *lineserver.Command) ([]string, error) {
	client, err := connect(c.Bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	w := walk{ctx, client, kadm.NewClient(client), c.Topic, time.Now().UnixMilli() - 3_600_000}
	return lineserver.Walk([]lineserver.Step{
		{Name: "create topic", Run: w.createTopic},
		{Name: "create topic refused", Run: w.createRefused},
		{Name: "create partitions", Run: w.createPartitions},
		{Name: "describe configs", Run: w.describeConfigs},
		{Name: "alter configs", Run: w.alterConfigs},
		{Name: "list offsets", Run: w.listOffsets},
		{Name: "describe cluster", Run: w.describeCluster},
		{Name: "offset for leader epoch", Run: w.leaderEpoch},
		{Name: "delete and recreate", Run: func() error { return w.recreate(c.Bootstrap) }},
		{Name: "delete topic", Run: w.deleteTopic},
	})
}

func refused(err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("got %v, not %v", err, want)
	}
	return nil
}

func (w *walk) createTopic() error {
	retention := "600000"
	made, err := w.admin.CreateTopic(w.ctx, 2, 1, map[string]*string{"retention.ms": &retention}, w.topic)
	if err != nil {
		return err
	}
	if made.ID == (kadm.TopicID{}) {
		return errors.New("no topic id")
	}
	return lineserver.Same("the number of partitions", made.NumPartitions, 2)
}

func (w *walk) createRefused() error {
	_, err := w.admin.CreateTopic(w.ctx, 1, 1, nil, w.topic)
	if err := refused(err, kerr.TopicAlreadyExists); err != nil {
		return err
	}
	_, err = w.admin.CreateTopic(w.ctx, 1, 1, nil, "not/a/name")
	if err := refused(err, kerr.InvalidTopicException); err != nil {
		return err
	}
	_, err = w.admin.CreateTopic(w.ctx, 1, 99, nil, w.topic+"-99")
	return refused(err, kerr.InvalidReplicationFactor)
}

func (w *walk) createPartitions() error {
	answers, err := w.admin.UpdatePartitions(w.ctx, 4, w.topic)
	if err != nil {
		return err
	}
	if err := answers.Error(); err != nil {
		return err
	}
	err = lineserver.Eventually(w.ctx, func() error {
		topics, err := w.admin.ListTopics(w.ctx, w.topic)
		if err != nil {
			return err
		}
		return lineserver.Same("the number of partitions", len(topics[w.topic].Partitions), 4)
	})
	if err != nil {
		return err
	}
	answers, err = w.admin.UpdatePartitions(w.ctx, 3, w.topic)
	if err != nil {
		return err
	}
	return refused(answers.Error(), kerr.InvalidPartitions)
}

// config is a topic config's value and source.
func (w *walk) config(name string) (string, kmsg.ConfigSource, error) {
	described, err := w.admin.DescribeTopicConfigs(w.ctx, w.topic)
	if err != nil {
		return "", 0, err
	}
	resource, err := described.On(w.topic, nil)
	if err != nil {
		return "", 0, err
	}
	if resource.Err != nil {
		return "", 0, resource.Err
	}
	for _, config := range resource.Configs {
		if config.Key == name {
			return config.MaybeValue(), config.Source, nil
		}
	}
	return "", 0, fmt.Errorf("%s is missing", name)
}

func (w *walk) expectConfig(name, want string, from kmsg.ConfigSource) error {
	return lineserver.Eventually(w.ctx, func() error {
		value, source, err := w.config(name)
		if err != nil {
			return err
		}
		if err := lineserver.Same(name, value, want); err != nil {
			return err
		}
		return lineserver.Same("the source of "+name, source, from)
	})
}

func (w *walk) describeConfigs() error {
	if err := w.expectConfig("retention.ms", "600000", kmsg.ConfigSourceDynamicTopicConfig); err != nil {
		return err
	}
	if err := w.expectConfig("cleanup.policy", "delete", kmsg.ConfigSourceDefaultConfig); err != nil {
		return err
	}
	cluster, err := w.admin.BrokerMetadata(w.ctx)
	if err != nil {
		return err
	}
	brokers, err := w.admin.DescribeBrokerConfigs(w.ctx, cluster.Brokers.NodeIDs()...)
	if err != nil {
		return err
	}
	for _, broker := range brokers {
		if broker.Err != nil {
			return broker.Err
		}
		found := false
		for _, config := range broker.Configs {
			found = found || config.Key == "log.retention.hours" && config.MaybeValue() != ""
		}
		if !found {
			return fmt.Errorf("broker %s: no log.retention.hours", broker.Name)
		}
	}
	return nil
}

func (w *walk) alterConfigs() error {
	size, retention, bad := "2000000", "700000", "no number"
	answers, err := w.admin.AlterTopicConfigs(w.ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &size},
		{Op: kadm.DeleteConfig, Name: "retention.ms"},
	}, w.topic)
	if err != nil {
		return err
	}
	if answers[0].Err != nil {
		return answers[0].Err
	}
	if err := w.expectConfig("max.message.bytes", size, kmsg.ConfigSourceDynamicTopicConfig); err != nil {
		return err
	}
	if err := w.expectConfig("retention.ms", "604800000", kmsg.ConfigSourceDefaultConfig); err != nil {
		return err
	}
	// AlterConfigs, the older request, replaces all that was set.
	answers, err = w.admin.AlterTopicConfigsState(w.ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &retention}}, w.topic)
	if err != nil {
		return err
	}
	if answers[0].Err != nil {
		return answers[0].Err
	}
	if err := w.expectConfig("retention.ms", retention, kmsg.ConfigSourceDynamicTopicConfig); err != nil {
		return err
	}
	if err := w.expectConfig("max.message.bytes", "1048588", kmsg.ConfigSourceDefaultConfig); err != nil {
		return err
	}
	answers, err = w.admin.AlterTopicConfigs(w.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &bad}}, w.topic)
	if err != nil {
		return err
	}
	return refused(answers[0].Err, kerr.InvalidConfig)
}

func (w *walk) listOffsets() error {
	// The newest of the three is the one in the middle.
	for _, after := range []int64{0, 2000, 1000} {
		record := &kgo.Record{Topic: w.topic, Value: []byte("old"), Timestamp: time.UnixMilli(w.baseMs + after)}
		if err := w.client.ProduceSync(w.ctx, record).FirstErr(); err != nil {
			return err
		}
	}
	check := func(what string, listed kadm.ListedOffsets, err error, offset, timestamp int64) error {
		if err != nil {
			return err
		}
		found, ok := listed.Lookup(w.topic, 0)
		if !ok {
			return errors.New(what + ": no answer for the partition")
		}
		if found.Err != nil {
			return found.Err
		}
		if err := lineserver.Same(what, found.Offset, offset); err != nil {
			return err
		}
		return lineserver.Same(what+": the timestamp", found.Timestamp, timestamp)
	}
	listed, err := w.admin.ListStartOffsets(w.ctx, w.topic)
	if err := check("the start", listed, err, 0, -1); err != nil {
		return err
	}
	listed, err = w.admin.ListEndOffsets(w.ctx, w.topic)
	if err := check("the end", listed, err, 3, -1); err != nil {
		return err
	}
	listed, err = w.admin.ListOffsetsAfterMilli(w.ctx, w.baseMs+1, w.topic)
	if err := check("the offset by time", listed, err, 1, w.baseMs+2000); err != nil {
		return err
	}
	// kadm turns "none so late" into the end offset.
	listed, err = w.admin.ListOffsetsAfterMilli(w.ctx, w.baseMs+2001, w.topic)
	if err := check("the offset after the last time", listed, err, 3, -1); err != nil {
		return err
	}
	listed, err = w.admin.ListMaxTimestampOffsets(w.ctx, w.topic)
	return check("the offset of the newest", listed, err, 1, w.baseMs+2000)
}

func (w *walk) describeCluster() error {
	metadata, err := w.admin.BrokerMetadata(w.ctx)
	if err != nil {
		return err
	}
	described, err := kmsg.NewPtrDescribeClusterRequest().RequestWith(w.ctx, w.client)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(described.ErrorCode); err != nil {
		return err
	}
	if described.ClusterID == "" {
		return errors.New("no cluster id")
	}
	if err := lineserver.Same("the cluster id", described.ClusterID, metadata.Cluster); err != nil {
		return err
	}
	return lineserver.Same("the number of brokers", len(described.Brokers), len(metadata.Brokers))
}

func (w *walk) leaderEpoch() error {
	var request kadm.OffsetForLeaderEpochRequest
	request.Add(w.topic, 0, 0)
	answer, err := w.admin.OffsetForLeaderEpoch(w.ctx, request)
	if err != nil {
		return err
	}
	found := answer[w.topic][0]
	if found.Err != nil {
		return found.Err
	}
	if err := lineserver.Same("the epoch", found.LeaderEpoch, 0); err != nil {
		return err
	}
	return lineserver.Same("the end of epoch 0", found.EndOffset, 3)
}

// A fetch by the id of the old topic must not be answered with records of the new one, and a new client sees only these.
func (w *walk) recreate(bootstrap string) error {
	before, err := w.admin.ListTopics(w.ctx, w.topic)
	if err != nil {
		return err
	}
	if _, err := w.admin.DeleteTopic(w.ctx, w.topic); err != nil {
		return err
	}
	var after kadm.CreateTopicResponse
	err = lineserver.Eventually(w.ctx, func() (err error) {
		after, err = w.admin.CreateTopic(w.ctx, 1, 1, nil, w.topic)
		return err
	})
	if err != nil {
		return err
	}
	if after.ID == before[w.topic].ID {
		return errors.New("the new topic has the id of the old one")
	}
	fresh, err := connect(bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{w.topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer fresh.Close()
	record := &kgo.Record{Topic: w.topic, Value: []byte("new")}
	if err := fresh.ProduceSync(w.ctx, record).FirstErr(); err != nil {
		return err
	}
	if err := lineserver.Same("the offset of the first new record", record.Offset, 0); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	fetches := fresh.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		return err
	}
	records := fetches.Records()
	if err := lineserver.Same("the number of records", len(records), 1); err != nil {
		return err
	}
	if err := lineserver.Same("the value", string(records[0].Value), "new"); err != nil {
		return err
	}
	return w.fetchOldID(before[w.topic].ID)
}

func (w *walk) fetchOldID(id kadm.TopicID) error {
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.PartitionMaxBytes = 1 << 20
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = w.topic, id, []kmsg.FetchRequestTopicPartition{partition}
	request := kmsg.NewPtrFetchRequest()
	request.MaxWaitMillis, request.MaxBytes, request.Topics = 100, 1<<20, []kmsg.FetchRequestTopic{topic}
	cluster, err := w.admin.BrokerMetadata(w.ctx)
	if err != nil {
		return err
	}
	answer, err := w.client.Broker(int(cluster.Brokers[0].NodeID)).Request(w.ctx, request)
	if err != nil {
		return err
	}
	fetched := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(fetched.ErrorCode); err != nil {
		return err
	}
	if len(fetched.Topics) != 1 || len(fetched.Topics[0].Partitions) != 1 {
		return errors.New("no answer for the partition of the old topic")
	}
	return refused(kerr.ErrorForCode(fetched.Topics[0].Partitions[0].ErrorCode), kerr.UnknownTopicID)
}

func (w *walk) deleteTopic() error {
	if _, err := w.admin.DeleteTopic(w.ctx, w.topic); err != nil {
		return err
	}
	return lineserver.Eventually(w.ctx, func() error {
		_, err := w.admin.DeleteTopic(w.ctx, w.topic)
		return refused(err, kerr.UnknownTopicOrPartition)
	})
}

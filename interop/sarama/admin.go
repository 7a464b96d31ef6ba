package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"kafkacompat/interop/lineserver"
)

type walk struct {
	ctx    context.Context
	admin  sarama.ClusterAdmin
	c      *lineserver.Command
	topic  string
	baseMs int64
}

// Admin walks through sarama's ClusterAdmin, at the protocol version c.Version, with a topic of its own, c.Topic, which
// must not exist yet and does not afterwards.
func (client) Admin(ctx context.Context, c *lineserver.Command) ([]string, error) {
	config, err := configure(c.Version)
	if err != nil {
		return nil, err
	}
	admin, err := sarama.NewClusterAdmin([]string{c.Bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	w := walk{ctx, admin, c, c.Topic, time.Now().UnixMilli() - 3_600_000}
	return lineserver.Walk([]lineserver.Step{
		{Name: "create topic", Run: w.createTopic},
		{Name: "create topic refused", Run: w.createRefused},
		{Name: "list topics", Run: w.listTopics},
		{Name: "create partitions", Run: w.createPartitions},
		{Name: "describe configs", Run: w.describeConfigs},
		{Name: "alter configs", Run: w.alterConfigs},
		{Name: "list offsets", Run: w.listOffsets},
		{Name: "describe cluster", Run: w.describeCluster},
		{Name: "delete and recreate", Run: w.recreate},
		{Name: "delete topic", Run: w.deleteTopic},
	})
}

func refused(err error, want sarama.KError) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("got %v, not %v", err, want)
	}
	return nil
}

func (w *walk) createTopic() error {
	retention := "600000"
	return w.admin.CreateTopic(w.topic, &sarama.TopicDetail{
		NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention},
	}, false)
}

func (w *walk) createRefused() error {
	detail := &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}
	if err := refused(w.admin.CreateTopic(w.topic, detail, false), sarama.ErrTopicAlreadyExists); err != nil {
		return err
	}
	if err := refused(w.admin.CreateTopic("not/a/name", detail, false), sarama.ErrInvalidTopic); err != nil {
		return err
	}
	return w.admin.CreateTopic(w.topic+"-only-validated", detail, true)
}

// ListTopics asks for Metadata and then for the configs of every topic.
func (w *walk) listTopics() error {
	return lineserver.Eventually(w.ctx, func() error {
		topics, err := w.admin.ListTopics()
		if err != nil {
			return err
		}
		if _, there := topics[w.topic+"-only-validated"]; there {
			return errors.New("a topic that was only validated is there")
		}
		topic, there := topics[w.topic]
		if !there {
			return errors.New("the topic is missing")
		}
		if topic.ConfigEntries["retention.ms"] == nil {
			return errors.New("its retention.ms is missing")
		}
		if err := lineserver.Same("retention.ms", *topic.ConfigEntries["retention.ms"], "600000"); err != nil {
			return err
		}
		return lineserver.Same("the number of partitions", topic.NumPartitions, 2)
	})
}

func (w *walk) createPartitions() error {
	if err := w.admin.CreatePartitions(w.topic, 4, nil, false); err != nil {
		return err
	}
	err := lineserver.Eventually(w.ctx, func() error {
		topics, err := w.admin.DescribeTopics([]string{w.topic})
		if err != nil {
			return err
		}
		if topics[0].Err != sarama.ErrNoError {
			return topics[0].Err
		}
		return lineserver.Same("the number of partitions", len(topics[0].Partitions), 4)
	})
	if err != nil {
		return err
	}
	return refused(w.admin.CreatePartitions(w.topic, 3, nil, false), sarama.ErrInvalidPartitions)
}

func (w *walk) expectConfig(name, want string, from sarama.ConfigSource) error {
	return lineserver.Eventually(w.ctx, func() error {
		entries, err := w.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: w.topic, ConfigNames: []string{name}})
		if err != nil {
			return err
		}
		if err := lineserver.Same("the number of configs", len(entries), 1); err != nil {
			return err
		}
		if err := lineserver.Same(name, entries[0].Value, want); err != nil {
			return err
		}
		return lineserver.Same("the source of "+name, entries[0].Source, from)
	})
}

func (w *walk) describeConfigs() error {
	if err := w.expectConfig("retention.ms", "600000", sarama.SourceTopic); err != nil {
		return err
	}
	if err := w.expectConfig("cleanup.policy", "delete", sarama.SourceDefault); err != nil {
		return err
	}
	brokers, _, err := w.admin.DescribeCluster()
	if err != nil {
		return err
	}
	entries, err := w.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.BrokerResource, Name: fmt.Sprint(brokers[0].ID())})
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name == "log.retention.hours" && entry.Value != "" {
			return nil
		}
	}
	return errors.New("the broker has no log.retention.hours")
}

func (w *walk) alterConfigs() error {
	size, retention, bad := "2000000", "700000", "no number"
	err := w.admin.IncrementalAlterConfig(sarama.TopicResource, w.topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &size},
		"retention.ms":      {Operation: sarama.IncrementalAlterConfigsOperationDelete},
	}, false)
	if err != nil {
		return err
	}
	if err := w.expectConfig("max.message.bytes", size, sarama.SourceTopic); err != nil {
		return err
	}
	if err := w.expectConfig("retention.ms", "604800000", sarama.SourceDefault); err != nil {
		return err
	}
	// AlterConfigs, the older request, replaces all that was set.
	if err := w.admin.AlterConfig(sarama.TopicResource, w.topic, map[string]*string{"retention.ms": &retention}, false); err != nil {
		return err
	}
	if err := w.expectConfig("retention.ms", retention, sarama.SourceTopic); err != nil {
		return err
	}
	if err := w.expectConfig("max.message.bytes", "1048588", sarama.SourceDefault); err != nil {
		return err
	}
	err = w.admin.AlterConfig(sarama.TopicResource, w.topic, map[string]*string{"retention.ms": &bad}, false)
	return refused(err, sarama.ErrInvalidConfig)
}

func (w *walk) produce(value string, timestampMs ...int64) ([]int64, error) {
	command := &lineserver.Command{Bootstrap: w.c.Bootstrap, Version: w.c.Version, Topic: w.topic, Codec: "none"}
	for _, timestamp := range timestampMs {
		command.Records = append(command.Records, lineserver.Record{Value: []byte(value), Timestamp: timestamp})
	}
	return client{}.Produce(w.ctx, command)
}

func (w *walk) listOffsets() error {
	if _, err := w.produce("old", w.baseMs, w.baseMs+2000, w.baseMs+1000); err != nil {
		return err
	}
	for _, ask := range []struct {
		what       string
		at, offset int64
	}{
		{"the start", sarama.OffsetOldest, 0},
		{"the end", sarama.OffsetNewest, 3},
		{"the offset by time", w.baseMs + 1, 1},
		{"the offset after the last time", w.baseMs + 2001, -1},
	} {
		listed, err := w.admin.ListOffsets(map[string]map[int32]int64{w.topic: {0: ask.at}}, nil)
		if err != nil {
			return err
		}
		found := listed[w.topic][0]
		if found == nil {
			return errors.New(ask.what + ": no answer for the partition")
		}
		if found.Err != sarama.ErrNoError {
			return found.Err
		}
		if err := lineserver.Same(ask.what, found.Offset, ask.offset); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) describeCluster() error {
	brokers, controller, err := w.admin.DescribeCluster()
	if err != nil {
		return err
	}
	for _, broker := range brokers {
		if broker.ID() == controller {
			return nil
		}
	}
	return fmt.Errorf("the controller %d is none of %d brokers", controller, len(brokers))
}

func (w *walk) recreate() error {
	if err := w.admin.DeleteTopic(w.topic); err != nil {
		return err
	}
	err := lineserver.Eventually(w.ctx, func() error {
		return w.admin.CreateTopic(w.topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	})
	if err != nil {
		return err
	}
	offsets, err := w.produce("new", w.baseMs)
	if err != nil {
		return err
	}
	if err := lineserver.Same("the offset of the first new record", offsets[0], 0); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	records, err := client{}.Consume(ctx, &lineserver.Command{
		Bootstrap: w.c.Bootstrap, Version: w.c.Version, Topic: w.topic, From: &lineserver.From{Start: true}, Count: 1,
	})
	if err != nil {
		return err
	}
	if err := lineserver.Same("the number of records", len(records), 1); err != nil {
		return err
	}
	return lineserver.Same("the value", string(records[0].Value), "new")
}

func (w *walk) deleteTopic() error {
	if err := w.admin.DeleteTopic(w.topic); err != nil {
		return err
	}
	return lineserver.Eventually(w.ctx, func() error {
		return refused(w.admin.DeleteTopic(w.topic), sarama.ErrUnknownTopicOrPartition)
	})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"kafkacompat/interop/lineserver"
)

var balancers = map[string]kafka.GroupBalancer{
	"range":      kafka.RangeGroupBalancer{},
	"roundrobin": kafka.RoundRobinGroupBalancer{},
}

// Group is a member of a group by a Reader, which runs kafka-go's ConsumerGroup; without an assignor in the options it
// proposes range and roundrobin.
func (client) Group(ctx context.Context, c *lineserver.Command, read *lineserver.GroupRead) error {
	config := kafka.ReaderConfig{
		Brokers:     []string{c.Bootstrap},
		GroupID:     c.Group,
		GroupTopics: c.Topics,
		StartOffset: kafka.FirstOffset,
		MaxBytes:    16 << 20,
		MaxWait:     250 * time.Millisecond, // Close waits for the fetch under way, by default up to 10 s
	}
	if c.Pattern != "" { // GroupTopics are names
		return errors.New("kafka-go cannot subscribe to a pattern")
	}
	err := c.EachOption(func(name, text string, duration time.Duration) bool {
		switch balancer, known := balancers[text]; {
		case name == "partition.assignment.strategy" && known:
			config.GroupBalancers = []kafka.GroupBalancer{balancer}
		case name == "session.timeout.ms":
			config.SessionTimeout = duration
		case name == "heartbeat.interval.ms":
			config.HeartbeatInterval = duration
		case name == "metadata.max.age.ms":
			config.WatchPartitionChanges, config.PartitionWatchInterval = true, duration
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	reader := kafka.NewReader(config)
	defer reader.Close() // leaves the group, too
	var messages []kafka.Message
	perform := func(act lineserver.Act) error {
		switch act.Do {
		case "seek": // of its only partition; refused to a member of a group
			return reader.SetOffset(act.Offset)
		case "commit":
			return reader.CommitMessages(ctx, messages...)
		}
		return fmt.Errorf("kafka-go cannot %s a partition", act.Do) // a Reader reads all that it was given
	}
	for read.Left() > 0 {
		m, err := reader.FetchMessage(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			return err
		}
		read.Add(m.Topic, int32(m.Partition), m.Offset, m.Key, m.Value)
		messages = append(messages, m)
		if err := read.Perform(perform); err != nil {
			return err
		}
	}
	if c.Commit && len(messages) > 0 {
		committing, cancel := context.WithTimeout(context.Background(), lineserver.ConsumeDeadline)
		defer cancel()
		if err := reader.CommitMessages(committing, messages...); err != nil { // without a CommitInterval it waits for the answer
			return err
		}
	}
	c.Stays(ctx)
	return nil
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafkacompat/interop/lineserver"
)

var balancers = map[string]kgo.GroupBalancer{
	"range":              kgo.RangeBalancer(),
	"roundrobin":         kgo.RoundRobinBalancer(),
	"sticky":             kgo.StickyBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

// Group is a member of a group by kgo; without an assignor in the options it proposes cooperative-sticky.
func (franz) Group(ctx context.Context, c *lineserver.Command, read *lineserver.GroupRead) error {
	options := []kgo.Opt{
		kgo.ConsumerGroup(c.Group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
	}
	if c.Pattern != "" {
		options = append(options, kgo.ConsumeRegex(), kgo.ConsumeTopics(c.Pattern))
	} else {
		options = append(options, kgo.ConsumeTopics(c.Topics...))
	}
	err := c.EachOption(func(name, text string, duration time.Duration) bool {
		switch balancer, known := balancers[text]; {
		case name == "partition.assignment.strategy" && known:
			options = append(options, kgo.Balancers(balancer))
		case name == "session.timeout.ms":
			options = append(options, kgo.SessionTimeout(duration))
		case name == "heartbeat.interval.ms":
			options = append(options, kgo.HeartbeatInterval(duration))
		case name == "group.instance.id":
			options = append(options, kgo.InstanceID(text))
		case name == "metadata.max.age.ms":
			options = append(options, kgo.MetadataMaxAge(duration), kgo.MetadataMinAge(duration/2))
		case name == "group.protocol" && text == "consumer":
			options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	client, err := connect(c.Bootstrap, options...)
	if err != nil {
		return err
	}
	defer client.Close() // leaves the group, too
	var polled []*kgo.Record
	perform := func(act lineserver.Act) error {
		switch partition := map[string][]int32{}; act.Do {
		case "pause", "resume":
			partition[c.Topics[0]] = []int32{act.Partition}
			if act.Do == "pause" {
				client.PauseFetchPartitions(partition)
			} else {
				client.ResumeFetchPartitions(partition)
			}
		case "seek":
			client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.Topics[0]: {act.Partition: {Epoch: -1, Offset: act.Offset}}})
		case "commit":
			return client.CommitRecords(ctx, polled...)
		}
		return nil
	}
	for read.Left() > 0 {
		fetches := client.PollRecords(ctx, read.Left())
		fetches.EachRecord(func(r *kgo.Record) {
			read.Add(r.Topic, r.Partition, r.Offset, r.Key, r.Value)
			polled = append(polled, r)
		})
		if err := read.Perform(perform); err != nil {
			return err
		}
		if err := renew(client, fetches); errors.Is(err, context.DeadlineExceeded) {
			break
		} else if err != nil {
			return err
		}
	}
	if c.Commit {
		committing, cancel := context.WithTimeout(context.Background(), lineserver.ConsumeDeadline)
		defer cancel()
		if err := client.CommitRecords(committing, polled...); err != nil {
			return err
		}
	}
	c.Stays(ctx)
	return nil
}

// renew returns the error of the fetches, if there is one, unless it says that a topic was deleted: kgo refuses a new one of
// that name until it is told to forget the old one.
func renew(client *kgo.Client, fetches kgo.Fetches) error {
	var other error
	fetches.EachError(func(topic string, _ int32, err error) {
		if errors.Is(err, kerr.UnknownTopicID) {
			client.PurgeTopicsFromClient(topic)
			client.AddConsumeTopics(topic)
		} else if other == nil {
			other = err
		}
	})
	return other
}

package main

import (
	"context"
	"errors"
	"time"

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
		kgo.ConsumeTopics(c.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
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
	for read.Left() > 0 {
		fetches := client.PollRecords(ctx, read.Left())
		fetches.EachRecord(func(r *kgo.Record) {
			read.Add(r.Topic, r.Partition, r.Offset, r.Key, r.Value)
			polled = append(polled, r)
		})
		if err := fetches.Err(); errors.Is(err, context.DeadlineExceeded) {
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

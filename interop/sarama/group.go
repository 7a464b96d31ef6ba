package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"kafkacompat/interop/lineserver"
)

// member is what sarama calls back in each generation of the group.
type member struct {
	command *lineserver.Command
	group   sarama.ConsumerGroup
	read    *lineserver.GroupRead
	done    context.CancelFunc
}

// errRejoin ends a generation that is not wanted any more.
var errRejoin = errors.New("rejoin")

// perform does one act; after errRejoin the next generation has to do the rest of it.
func (m member) perform(session sarama.ConsumerGroupSession, act lineserver.Act) error {
	partition := map[string][]int32{}
	if len(m.command.Topics) > 0 {
		partition[m.command.Topics[0]] = []int32{act.Partition}
	}
	switch act.Do {
	case "pause":
		m.group.Pause(partition)
	case "resume":
		m.group.Resume(partition)
	case "seek": // of a session: another offset to commit, from which the next generation begins
		session.ResetOffset(m.command.Topics[0], act.Partition, act.Offset, "")
		session.Commit()
		return errRejoin
	case "commit":
		session.Commit()
	}
	return nil
}

func (member) Setup(sarama.ConsumerGroupSession) error { return nil }

// Cleanup commits at the end of each generation, before another member can get the partitions.
func (m member) Cleanup(session sarama.ConsumerGroupSession) error {
	if m.command.Commit {
		session.Commit()
	}
	return nil
}

func (m member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case <-session.Context().Done():
			return nil
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			wanted, more := m.read.Add(message.Topic, message.Partition, message.Offset, message.Key, message.Value)
			if wanted {
				session.MarkMessage(message, "")
			}
			err := m.read.Perform(func(act lineserver.Act) error { return m.perform(session, act) })
			if errors.Is(err, errRejoin) {
				return nil // which ends the session, and Group begins another one
			} else if err != nil {
				return err
			}
			if !more {
				_ = m.Cleanup(session)
				m.command.Stays(session.Context())
				m.done()
				return nil
			}
		}
	}
}

var strategies = map[string]sarama.BalanceStrategy{
	"range":      sarama.NewBalanceStrategyRange(),
	"roundrobin": sarama.NewBalanceStrategyRoundRobin(),
	"sticky":     sarama.NewBalanceStrategySticky(),
}

// Group is a member of a group by sarama's ConsumerGroup; without an assignor in the options it proposes range.
func (client) Group(ctx context.Context, c *lineserver.Command, read *lineserver.GroupRead) error {
	config, err := configure(c.Version)
	if err != nil {
		return err
	}
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Return.Errors = true
	if c.Pattern != "" { // Consume takes names
		return errors.New("sarama cannot subscribe to a pattern")
	}
	err = c.EachOption(func(name, text string, duration time.Duration) bool {
		switch strategy, known := strategies[text]; {
		case name == "partition.assignment.strategy" && known:
			config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
		case name == "session.timeout.ms":
			config.Consumer.Group.Session.Timeout = duration
		case name == "heartbeat.interval.ms":
			config.Consumer.Group.Heartbeat.Interval = duration
		case name == "metadata.max.age.ms":
			config.Metadata.RefreshFrequency = duration
		case name == "group.instance.id":
			config.Consumer.Group.InstanceId = text
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	group, err := sarama.NewConsumerGroup([]string{c.Bootstrap}, c.Group, config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() { // commits that fail are only told here
		var first error
		for err := range group.Errors() {
			if first == nil && !topicGone(err) {
				first = err
			}
		}
		failed <- first
	}()
	for (err == nil || topicGone(err)) && ctx.Err() == nil {
		err = group.Consume(ctx, c.Topics, member{c, group, read, cancel}) // one generation
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return errors.Join(err, group.Close(), <-failed)
}

// topicGone is what comes of a topic that was deleted, and perhaps made again, under a claim; the next generation is to make do.
func topicGone(err error) bool {
	return errors.Is(err, sarama.ErrUnknownTopicOrPartition) || errors.Is(err, sarama.ErrOffsetOutOfRange)
}

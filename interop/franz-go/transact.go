package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafkacompat/interop/lineserver"
)

func transactional(c *lineserver.Command) (*kgo.Client, error) {
	return connect(c.Bootstrap, kgo.TransactionalID(c.TransactionalID), kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

// Transact uses one client until a step reads: that is a GroupTransactSession, an instance of its own, which fences it.
func (franz) Transact(ctx context.Context, c *lineserver.Command) ([]string, error) {
	var outcomes []string
	var client *kgo.Client
	for _, step := range c.Steps {
		var err error
		if step.Group != "" {
			if client != nil {
				client.Close()
				client = nil
			}
			err = transform(ctx, c, &step)
		} else {
			if client == nil {
				if client, err = transactional(c); err != nil {
					return outcomes, err
				}
				defer client.Close()
			}
			err = write(ctx, c, &step, client)
		}
		outcome, err := step.Outcome(err)
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, nil
}

func write(ctx context.Context, c *lineserver.Command, step *lineserver.Transaction, client *kgo.Client) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	for _, value := range step.Values {
		client.Produce(ctx, &kgo.Record{Topic: c.Topic, Value: value}, nil)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if step.Fence {
		other, err := transactional(c)
		if err != nil {
			return err
		}
		defer other.Close()
		if _, _, err := other.ProducerID(ctx); err != nil { // otherwise it asks for one with its first record
			return err
		}
	}
	return client.EndTransaction(ctx, kgo.TransactionEndTry(step.Commit))
}

func transform(ctx context.Context, c *lineserver.Command, step *lineserver.Transaction) error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(c.Bootstrap),
		kgo.TransactionalID(c.TransactionalID),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumerGroup(step.Group),
		kgo.ConsumeTopics(step.From),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
	)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Begin(); err != nil {
		return err
	}
	for left := step.Count; left > 0; {
		fetches := session.PollRecords(ctx, left)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			session.Produce(ctx, &kgo.Record{Topic: c.Topic, Value: record.Value}, nil)
			left--
		}
	}
	if err := session.Client().Flush(ctx); err != nil {
		return err
	}
	ended, err := session.End(ctx, kgo.TransactionEndTry(step.Commit))
	if err == nil && ended != step.Commit {
		err = errors.New("aborted: the group rebalanced")
	}
	return err
}

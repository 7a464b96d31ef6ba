package main

import (
	"context"

	"github.com/IBM/sarama"

	"kafkacompat/interop/lineserver"
)

func transactional(c *lineserver.Command) (sarama.SyncProducer, error) {
	config, err := configure(c.Version)
	if err != nil {
		return nil, err
	}
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Idempotent = true
	config.Producer.Transaction.ID = c.TransactionalID
	config.Net.MaxOpenRequests = 1 // sarama refuses an idempotent producer with more
	return sarama.NewSyncProducer([]string{c.Bootstrap}, config)
}

// Transact goes through the steps with one producer.
func (client) Transact(ctx context.Context, c *lineserver.Command) ([]string, error) {
	producer, err := transactional(c)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	var outcomes []string
	for _, step := range c.Steps {
		outcome, err := step.Outcome(transact(ctx, c, &step, producer))
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, nil
}

func transact(ctx context.Context, c *lineserver.Command, step *lineserver.Transaction, producer sarama.SyncProducer) error {
	if err := producer.BeginTxn(); err != nil {
		return err
	}
	values := step.Values
	offsets := map[int32]int64{}
	if step.Group != "" {
		read := lineserver.NewGroupRead(step.Count, nil)
		member := lineserver.Command{Bootstrap: c.Bootstrap, Version: c.Version, Group: step.Group, Topics: []string{step.From}}
		if err := (client{}).Group(ctx, &member, read); err != nil {
			return err
		}
		for _, record := range read.Records {
			values = append(values, record.Value)
			offsets[record.Partition] = record.Offset + 1
		}
	}
	for _, value := range values {
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: c.Topic, Value: encoder(value)}); err != nil {
			return err
		}
	}
	if step.Group != "" {
		var next []*sarama.PartitionOffsetMetadata
		for partition, offset := range offsets {
			next = append(next, &sarama.PartitionOffsetMetadata{Partition: partition, Offset: offset})
		}
		if err := producer.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{step.From: next}, step.Group); err != nil {
			return err
		}
	}
	if step.Fence {
		other, err := transactional(c)
		if err != nil {
			return err
		}
		defer other.Close()
	}
	if step.Commit {
		return producer.CommitTxn()
	}
	return producer.AbortTxn()
}

// The sarama client of the interop suite. A command's "version" is the protocol version that sarama is told to speak
// ("3.6.0"); without it sarama's own default (2.8.0).
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"kafkacompat/interop/lineserver"
)

type client struct{}

func main() { lineserver.Serve(client{}) }

// No limits: from the default version up, the record format and every codec are complete in this library.
func (client) Features() lineserver.Features {
	return lineserver.Features{
		Codecs:           []string{"none", "gzip", "snappy", "lz4", "zstd"},
		Idempotent:       true,
		NullHeaderValues: true,
		FromTime:         true,
		Client:           "sarama",
		Version:          lineserver.ModuleVersion("github.com/IBM/sarama"),
	}
}

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func configure(version string) (*sarama.Config, error) {
	config := sarama.NewConfig()
	if version != "" {
		parsed, err := sarama.ParseKafkaVersion(version)
		if err != nil {
			return nil, err
		}
		config.Version = parsed
	}
	return config, nil
}

func (client) Create(_ context.Context, c *lineserver.Command) error {
	config, err := configure(c.Version)
	if err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin([]string{c.Bootstrap}, config)
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.CreateTopic(c.Topic, &sarama.TopicDetail{NumPartitions: c.Partitions, ReplicationFactor: 1}, false)
}

// A nil Encoder is a null; an Encoder of an empty slice is an empty key or value.
func encoder(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func (client) Produce(_ context.Context, c *lineserver.Command) ([]int64, error) {
	codec, ok := codecs[c.Codec]
	if !ok {
		return nil, fmt.Errorf("unknown codec: %q", c.Codec)
	}
	config, err := configure(c.Version)
	if err != nil {
		return nil, err
	}
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Compression = codec
	config.Producer.MaxMessageBytes = 16 << 20 // the broker is to decide what is too large
	if c.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1 // sarama refuses an idempotent producer with more
	}
	producer, err := sarama.NewSyncProducer([]string{c.Bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	messages := make([]*sarama.ProducerMessage, len(c.Records))
	for i, r := range c.Records {
		message := &sarama.ProducerMessage{Topic: c.Topic, Partition: c.Partition, Key: encoder(r.Key), Value: encoder(r.Value)}
		if r.Timestamp != 0 {
			message.Timestamp = time.UnixMilli(r.Timestamp)
		}
		for _, h := range r.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(h.Name), Value: h.Value})
		}
		messages[i] = message
	}
	if err := producer.SendMessages(messages); err != nil {
		if failed, ok := err.(sarama.ProducerErrors); ok && len(failed) > 0 {
			return nil, fmt.Errorf("%d of %d failed, the first: %w", len(failed), len(messages), failed[0].Err)
		}
		return nil, err
	}
	offsets := make([]int64, len(messages))
	for i, message := range messages {
		offsets[i] = message.Offset
	}
	return offsets, nil
}

func (client) Consume(ctx context.Context, c *lineserver.Command) ([]lineserver.Record, error) {
	config, err := configure(c.Version)
	if err != nil {
		return nil, err
	}
	config.Consumer.Return.Errors = true
	if c.Committed {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	connected, err := sarama.NewClient([]string{c.Bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer connected.Close()
	place := sarama.OffsetOldest
	if c.From.Offset != nil {
		place = *c.From.Offset
	} else if c.From.Time != nil {
		if place, err = connected.GetOffset(c.Topic, c.Partition, *c.From.Time); err != nil {
			return nil, err
		}
		if place == -1 { // no record that late; -1 happens to be OffsetNewest
			place = sarama.OffsetNewest
		}
	}
	consumer, err := sarama.NewConsumerFromClient(connected)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(c.Topic, c.Partition, place)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	var records []lineserver.Record
	for len(records) < c.Count {
		select {
		case <-ctx.Done():
			return records, nil
		case err := <-partition.Errors():
			return nil, err
		case m := <-partition.Messages():
			record := lineserver.Record{Offset: m.Offset, Key: m.Key, Value: m.Value, Timestamp: m.Timestamp.UnixMilli()}
			for _, h := range m.Headers {
				record.Headers = append(record.Headers, lineserver.Header{Name: string(h.Key), Value: h.Value})
			}
			records = append(records, record)
		}
	}
	return records, nil
}

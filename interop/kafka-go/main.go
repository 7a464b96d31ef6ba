// The kafka-go client of the interop suite: Writer and Client speak with the library's newer protocol package, Reader
// with its older connection, so both halves are used.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"kafkacompat/interop/lineserver"
)

type client struct{}

func main() { lineserver.Serve(client{}) }

func (client) Features() lineserver.Features {
	return lineserver.Features{
		Codecs:           []string{"none", "gzip", "snappy", "lz4", "zstd"},
		Idempotent:       false, // its Writer asks for no producer id and sends no sequence numbers
		NullHeaderValues: true,
		FromTime:         true,
		Client:           "kafka-go",
		Version:          lineserver.ModuleVersion("github.com/segmentio/kafka-go"),
	}
}

var codecs = map[string]kafka.Compression{
	"none":   0,
	"gzip":   kafka.Gzip,
	"snappy": kafka.Snappy,
	"lz4":    kafka.Lz4,
	"zstd":   kafka.Zstd,
}

func (client) Create(ctx context.Context, c *lineserver.Command) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	admin := &kafka.Client{Addr: kafka.TCP(c.Bootstrap), Transport: transport}
	answer, err := admin.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: c.Topic, NumPartitions: int(c.Partitions), ReplicationFactor: 1}},
	})
	if err != nil {
		return err
	}
	return answer.Errors[c.Topic]
}

func (client) Produce(ctx context.Context, c *lineserver.Command) ([]int64, error) {
	codec, ok := codecs[c.Codec]
	if !ok {
		return nil, fmt.Errorf("unknown codec: %q", c.Codec)
	}
	if c.Idempotent {
		return nil, errors.New("kafka-go has no idempotent producer")
	}
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	var offsets []int64
	writer := &kafka.Writer{
		Addr:         kafka.TCP(c.Bootstrap),
		Topic:        c.Topic,
		Transport:    transport,
		RequiredAcks: kafka.RequireAll,
		Compression:  codec,
		BatchSize:    max(len(c.Records), 1),
		BatchBytes:   16 << 20, // the broker is to decide what is too large
		BatchTimeout: time.Millisecond,
		Balancer:     kafka.BalancerFunc(func(kafka.Message, ...int) int { return int(c.Partition) }),
		// The only place where a Writer tells offsets; batches of one partition complete in order.
		Completion: func(written []kafka.Message, err error) {
			if err != nil {
				return
			}
			for _, m := range written {
				offsets = append(offsets, m.Offset)
			}
		},
	}
	messages := make([]kafka.Message, len(c.Records))
	for i, r := range c.Records {
		message := kafka.Message{Key: r.Key, Value: r.Value}
		if r.Timestamp != 0 {
			message.Time = time.UnixMilli(r.Timestamp)
		}
		for _, h := range r.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: h.Name, Value: h.Value})
		}
		messages[i] = message
	}
	err := writer.WriteMessages(ctx, messages...)
	if failed, ok := err.(kafka.WriteErrors); ok {
		for _, cause := range failed {
			if cause != nil {
				err = cause
				break
			}
		}
	}
	if closed := writer.Close(); err == nil { // also waits for the completions
		err = closed
	}
	if err == nil && len(offsets) != len(messages) {
		err = fmt.Errorf("%d offsets for %d records", len(offsets), len(messages))
	}
	return offsets, err
}

// Consume reads twice, with both halves of the library. A Reader gives an empty key, value or header value as nil, like a
// null one (readNewBytes in its read.go); Client.Fetch tells them apart. So the answer is what Client.Fetch read, after a
// check that the Reader has read the same.
func (client) Consume(ctx context.Context, c *lineserver.Command) ([]lineserver.Record, error) {
	read, err := consumeWithReader(ctx, c)
	if err != nil || len(read) == 0 {
		return nil, err
	}
	// The deadline is for the records to appear, and they are there.
	fetching, cancel := context.WithTimeout(context.Background(), lineserver.ConsumeDeadline)
	defer cancel()
	fetched, err := consumeWithClient(fetching, c, read[0].Offset, len(read))
	if err != nil {
		return nil, err
	}
	for i := range read {
		if !same(&read[i], &fetched[i]) {
			return nil, fmt.Errorf("Reader and Client.Fetch differ at offsets %d and %d", read[i].Offset, fetched[i].Offset)
		}
	}
	return fetched, nil
}

func same(a, b *lineserver.Record) bool {
	return a.Offset == b.Offset && a.Timestamp == b.Timestamp && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(a, b lineserver.Header) bool {
			return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
		})
}

func record(offset int64, at time.Time, key, value []byte, headers []kafka.Header) lineserver.Record {
	r := lineserver.Record{Offset: offset, Key: key, Value: value, Timestamp: at.UnixMilli()}
	for _, h := range headers {
		r.Headers = append(r.Headers, lineserver.Header{Name: h.Key, Value: h.Value})
	}
	return r
}

func consumeWithReader(ctx context.Context, c *lineserver.Command) ([]lineserver.Record, error) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:   []string{c.Bootstrap},
		Topic:     c.Topic,
		Partition: int(c.Partition),
		MaxBytes:  16 << 20,
		MaxWait:   250 * time.Millisecond, // Close waits for the fetch under way, by default up to 10 s
	})
	defer reader.Close()
	var err error
	switch {
	case c.From.Start:
		err = reader.SetOffset(kafka.FirstOffset)
	case c.From.Offset != nil:
		err = reader.SetOffset(*c.From.Offset)
	default:
		err = reader.SetOffsetAt(ctx, time.UnixMilli(*c.From.Time))
	}
	if err != nil {
		return nil, err
	}
	var records []lineserver.Record
	for len(records) < c.Count {
		m, err := reader.ReadMessage(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, err
		}
		records = append(records, record(m.Offset, m.Time, m.Key, m.Value, m.Headers))
	}
	return records, nil
}

func consumeWithClient(ctx context.Context, c *lineserver.Command, offset int64, count int) ([]lineserver.Record, error) {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	connected := &kafka.Client{Addr: kafka.TCP(c.Bootstrap), Transport: transport}
	var records []lineserver.Record
	for len(records) < count {
		answer, err := connected.Fetch(ctx, &kafka.FetchRequest{
			Topic:     c.Topic,
			Partition: int(c.Partition),
			Offset:    offset,
			MinBytes:  1,
			MaxBytes:  16 << 20,
			MaxWait:   250 * time.Millisecond,
		})
		if err == nil {
			err = answer.Error
		}
		for err == nil && len(records) < count {
			var r *kafka.Record
			if r, err = answer.Records.ReadRecord(); err != nil || r.Offset < offset { // a batch may begin before the offset
				continue
			}
			var key, value []byte
			if key, err = readAll(r.Key); err != nil {
				break
			}
			if value, err = readAll(r.Value); err != nil {
				break
			}
			records = append(records, record(r.Offset, r.Time, key, value, r.Headers))
			offset = r.Offset + 1
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return records, nil
}

func readAll(data kafka.Bytes) ([]byte, error) {
	if data == nil {
		return nil, nil
	}
	defer data.Close()
	return kafka.ReadAll(data)
}

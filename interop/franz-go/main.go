// The franz-go client of the interop suite: kgo to produce and consume, kadm to administer.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafkacompat/interop/lineserver"
)

type franz struct{}

func main() { lineserver.Serve(franz{}) }

// No limits: the record format and every codec are complete in this library.
func (franz) Features() lineserver.Features {
	return lineserver.Features{
		Codecs:           []string{"none", "gzip", "snappy", "lz4", "zstd"},
		Idempotent:       true,
		NullHeaderValues: true,
		FromTime:         true,
		Client:           "franz-go",
		Version:          lineserver.ModuleVersion("github.com/twmb/franz-go"),
	}
}

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func connect(bootstrap string, options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap)}, options...)...)
}

func (franz) Create(ctx context.Context, c *lineserver.Command) error {
	client, err := connect(c.Bootstrap)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(ctx, c.Partitions, 1, nil, c.Topic)
	return err
}

func (franz) Produce(ctx context.Context, c *lineserver.Command) ([]int64, error) {
	codec, ok := codecs[c.Codec]
	if !ok {
		return nil, fmt.Errorf("unknown codec: %q", c.Codec)
	}
	options := []kgo.Opt{
		kgo.ProducerBatchCompression(codec),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytes(16 << 20), // the broker is to decide what is too large
	}
	if !c.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := connect(c.Bootstrap, options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	records := make([]*kgo.Record, len(c.Records))
	for i, r := range c.Records {
		record := &kgo.Record{Topic: c.Topic, Partition: c.Partition, Key: r.Key, Value: r.Value}
		if r.Timestamp != 0 {
			record.Timestamp = time.UnixMilli(r.Timestamp)
		}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
		records[i] = record
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	offsets := make([]int64, len(records))
	for i, record := range records {
		offsets[i] = record.Offset
	}
	return offsets, nil
}

func (franz) Consume(ctx context.Context, c *lineserver.Command) ([]lineserver.Record, error) {
	place := kgo.NewOffset()
	switch {
	case c.From.Start:
		place = place.AtStart()
	case c.From.Offset != nil:
		place = place.At(*c.From.Offset)
	default:
		place = place.AfterMilli(*c.From.Time)
	}
	isolation := kgo.ReadUncommitted()
	if c.Committed {
		isolation = kgo.ReadCommitted()
	}
	client, err := connect(c.Bootstrap,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Topic: {c.Partition: place}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // an offset out of range is to be seen
		kgo.FetchIsolationLevel(isolation),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var records []lineserver.Record
	for len(records) < c.Count {
		fetches := client.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) {
			if len(records) == c.Count {
				return
			}
			record := lineserver.Record{Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp.UnixMilli()}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, lineserver.Header{Name: h.Key, Value: h.Value})
			}
			records = append(records, record)
		})
		if err := fetches.Err(); errors.Is(err, context.DeadlineExceeded) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	return records, nil
}

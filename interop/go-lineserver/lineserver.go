// Package lineserver is the part that the Go interop clients share: it reads one JSON command per line from standard
// input and answers one JSON line on standard output, until the input ends.
//
// Bytes are base64 strings; null and the empty string stay distinct (a nil and an empty slice).
package lineserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"
)

// ConsumeDeadline is how long a consume command waits for the records that it was asked for.
const ConsumeDeadline = 20 * time.Second

// CallDeadline bounds every other command but group, which has ConsumeDeadline unless it names a time of its own.
const CallDeadline = 60 * time.Second

// Header is one record header, on the wire of this protocol a pair: ["name", base64 or null].
type Header struct {
	Name  string
	Value []byte
}

func (h Header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.Name, h.Value}) }

func (h *Header) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return errors.New("a header is a pair: name, value")
	}
	if err := json.Unmarshal(pair[0], &h.Name); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &h.Value)
}

// Record is a record to produce (Offset unused, Timestamp 0 when absent) or one that was consumed. Timestamp is in
// milliseconds since 1970.
type Record struct {
	Offset    int64    `json:"offset"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
	Timestamp int64    `json:"timestamp"`
}

// From is where a consume command begins: "start", {"offset": n} or {"time": ms}.
type From struct {
	Start  bool
	Offset *int64
	Time   *int64
}

func (f *From) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) == nil {
		if word != "start" {
			return fmt.Errorf("unknown place to consume from: %q", word)
		}
		f.Start = true
		return nil
	}
	var place struct{ Offset, Time *int64 }
	if err := json.Unmarshal(data, &place); err != nil {
		return err
	}
	f.Offset, f.Time = place.Offset, place.Time
	if (f.Offset == nil) == (f.Time == nil) {
		return errors.New("consume from needs either an offset or a time")
	}
	return nil
}

// Command is any command; fields that an operation does not know are absent. Version is the protocol version that the
// client library is told to speak, for libraries that have to be told (sarama), "" for their default.
type Command struct {
	Op         string   `json:"op"`
	Bootstrap  string   `json:"bootstrap"`
	Topic      string   `json:"topic"`
	Partitions int32    `json:"partitions"`
	Partition  int32    `json:"partition"`
	Codec      string   `json:"codec"`
	Idempotent bool     `json:"idempotent"`
	Records    []Record `json:"records"`
	From       *From    `json:"from"`
	Count      int      `json:"count"`
	Version    string   `json:"version"`
	Committed  bool     `json:"committed"`

	TransactionalID string        `json:"transactional_id"`
	Steps           []Transaction `json:"steps"`

	Group           string         `json:"group"`
	Topics          []string       `json:"topics"`
	Pattern         string         `json:"pattern"`
	Seconds         float64        `json:"seconds"`
	Acts            []Act          `json:"acts"`
	Commit          bool           `json:"commit"`
	Stay            string         `json:"stay"`
	ProtocolOptions map[string]any `json:"protocol_options"`
}

// Features says what the library can do; a false or missing entry is a limit of the library, not of the broker.
type Features struct {
	Codecs           []string `json:"codecs"`
	Idempotent       bool     `json:"idempotent"`
	NullHeaderValues bool     `json:"null_header_values"`
	FromTime         bool     `json:"from_time"`
	Client           string   `json:"client"`
	Version          string   `json:"version"`
}

// Client is one client library behind the commands.
type Client interface {
	Features() Features
	// Create makes a topic with replication factor 1.
	Create(ctx context.Context, c *Command) error
	// Produce writes all records with acks=all and returns their offsets in the order of the records.
	Produce(ctx context.Context, c *Command) ([]int64, error)
	// Consume reads c.Count records of one partition; when ctx ends first it returns what it has and no error.
	Consume(ctx context.Context, c *Command) ([]Record, error)
}

// Group is implemented by clients that can be a member of a consumer group.
type Group interface {
	// Group joins c.Group, reads c.Count records of c.Topics, or of those that c.Pattern matches, into read, performs the
	// acts that read says are due, commits them when c.Commit says so, stays (c.Stays)
	// and leaves the group; when ctx ends first it does the same with what it has.
	Group(ctx context.Context, c *Command, read *GroupRead) error
}

// Admin is implemented by clients that can walk through their admin calls; it returns the names of the steps done.
type Admin interface {
	Admin(ctx context.Context, c *Command) ([]string, error)
}

// ModuleVersion returns the version of a module in this program ("1.2.3"), as the build recorded it.
func ModuleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == path {
				return module.Version[1:]
			}
		}
	}
	return "unknown"
}

// Serve answers commands until standard input ends.
func Serve(client Client) {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			writeLine(out, answer(client, line))
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func writeLine(out *bufio.Writer, answer any) {
	data, err := json.Marshal(answer)
	if err == nil {
		_, _ = out.Write(append(data, '\n'))
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer(client Client, line []byte) any {
	result, err := run(client, line)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return result
}

func run(client Client, line []byte) (any, error) {
	var c Command
	if err := json.Unmarshal(line, &c); err != nil {
		return nil, err
	}
	deadline := CallDeadline
	if c.Op == "group" {
		deadline = ConsumeDeadline
		if c.Seconds > 0 {
			deadline = time.Duration(c.Seconds * float64(time.Second))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	switch c.Op {
	case "features":
		return client.Features(), nil
	case "create":
		return map[string]any{"ok": true}, client.Create(ctx, &c)
	case "produce":
		offsets, err := client.Produce(ctx, &c)
		return map[string]any{"offsets": offsets}, err
	case "consume":
		if c.From == nil {
			return nil, errors.New("consume needs from")
		}
		ctx, cancel := context.WithTimeout(ctx, ConsumeDeadline)
		defer cancel()
		records, err := client.Consume(ctx, &c)
		if records == nil {
			records = []Record{}
		}
		for i := range records {
			if records[i].Headers == nil {
				records[i].Headers = []Header{}
			}
		}
		return map[string]any{"records": records}, err
	case "group":
		if group, ok := client.(Group); ok {
			read := NewGroupRead(c.Count, c.Acts)
			return read, group.Group(ctx, &c, read)
		}
	case "transact":
		if transactional, ok := client.(Transactional); ok {
			outcomes, err := transactional.Transact(ctx, &c)
			return map[string]any{"outcomes": outcomes}, err
		}
	case "admin":
		if admin, ok := client.(Admin); ok {
			steps, err := admin.Admin(ctx, &c)
			if err != nil {
				return nil, fmt.Errorf("after %v: %w", steps, err)
			}
			return map[string]any{"ok": true, "steps": steps}, nil
		}
	}
	return nil, fmt.Errorf("unknown op: %q", c.Op)
}

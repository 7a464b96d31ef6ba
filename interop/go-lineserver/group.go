package lineserver

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// GroupRecord is a record that a member of a group has read.
type GroupRecord struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Key       []byte `json:"key"`
	Value     []byte `json:"value"`
}

// Act is what a member of a group does (Do: "pause", "resume", "seek", "commit" or nothing) with a partition of its first
// topic once it has read After records in all; Touch names a file that it makes then.
type Act struct {
	After     int    `json:"after"`
	Do        string `json:"do"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Touch     string `json:"touch"`
}

// GroupRead is what a group command has read so far, and its answer. Its methods may be called from several goroutines.
type GroupRead struct {
	Records []GroupRecord `json:"records"`
	FirstMs *int64        `json:"first_ms"`

	mutex sync.Mutex
	count int
	acts  []Act
	begin time.Time
}

// NewGroupRead is to read so many records and to act in between, and begins now.
func NewGroupRead(count int, acts []Act) *GroupRead {
	return &GroupRead{Records: []GroupRecord{}, count: count, acts: acts, begin: time.Now()}
}

// Add keeps a record and tells whether it was wanted, and whether more are.
func (g *GroupRead) Add(topic string, partition int32, offset int64, key, value []byte) (wanted, more bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if len(g.Records) >= g.count {
		return false, false
	}
	if g.FirstMs == nil {
		first := time.Since(g.begin).Milliseconds()
		g.FirstMs = &first
	}
	g.Records = append(g.Records, GroupRecord{topic, partition, offset, key, value})
	return true, len(g.Records) < g.count
}

// Perform does the acts that are due with the function given, each once.
func (g *GroupRead) Perform(do func(Act) error) error {
	for {
		g.mutex.Lock()
		if len(g.acts) == 0 || len(g.Records) < g.acts[0].After {
			g.mutex.Unlock()
			return nil
		}
		act := g.acts[0]
		g.acts = g.acts[1:]
		g.mutex.Unlock()
		if act.Do != "" {
			if err := do(act); err != nil {
				return err
			}
		}
		if act.Touch != "" {
			if err := os.WriteFile(act.Touch, nil, 0o600); err != nil {
				return err
			}
		}
	}
}

// Left is how many records are missing.
func (g *GroupRead) Left() int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.count - len(g.Records)
}

// Stays returns when a member of the group may leave: when the file c.Stay is there, if one is named, or when ctx ends.
func (c *Command) Stays(ctx context.Context) {
	for c.Stay != "" && ctx.Err() == nil {
		if _, err := os.Stat(c.Stay); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// EachOption calls set with the protocol options of the command as text, times also as a duration; set returns false for
// an option that the library does not have.
func (c *Command) EachOption(set func(name, text string, duration time.Duration) bool) error {
	for name, value := range c.ProtocolOptions {
		var duration time.Duration
		if number, ok := value.(float64); ok {
			duration = time.Duration(number) * time.Millisecond
		}
		if !set(name, fmt.Sprint(value), duration) {
			return fmt.Errorf("this client cannot set %s to %v", name, value)
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"kafkacompat/interop/lineserver"
)

// The group calls of kadm as commands of a tool that prints: one line for a group, a member, or a partition.

type groupTool struct {
	ctx   context.Context
	admin *kadm.Client
	lines []string
}

var groupCalls = map[string]func(*groupTool, []string) error{
	"list":              (*groupTool).list,
	"describe":          (*groupTool).describe,
	"describe-consumer": (*groupTool).describeConsumer,
	"lag":               (*groupTool).lag,
	"offsets":           (*groupTool).offsets,
	"commit":            (*groupTool).commit,
	"delete-offsets":    (*groupTool).deleteOffsets,
	"leave":             (*groupTool).leave,
	"delete":            (*groupTool).delete,
}

// Tool runs the call c.Arguments[0] with the rest of the arguments; what it could not do is a line, too.
func (franz) Tool(ctx context.Context, c *lineserver.Command) ([]string, error) {
	client, err := connect(c.Bootstrap)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	tool := groupTool{ctx, kadm.NewClient(client), []string{}}
	if len(c.Arguments) == 0 || groupCalls[c.Arguments[0]] == nil {
		return nil, fmt.Errorf("no such call: %v", c.Arguments)
	}
	if err := groupCalls[c.Arguments[0]](&tool, c.Arguments[1:]); err != nil {
		tool.print("failed: %s", outcome(err))
	}
	return tool.lines, nil
}

func (t *groupTool) print(format string, arguments ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, arguments...))
}

// outcome is the name of Kafka's error behind err, or "ok".
func outcome(err error) string {
	var known *kerr.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &known):
		return known.Message
	}
	return err.Error()
}

func optional(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}

func partitions(set kadm.TopicsSet) string {
	var all []string
	for _, topic := range set.Sorted() {
		for _, partition := range topic.Partitions {
			all = append(all, fmt.Sprintf("%s:%d", topic.Topic, partition))
		}
	}
	return "[" + strings.Join(all, " ") + "]"
}

func operations(allowed []kadm.ACLOperation) string {
	var names []string
	for _, operation := range allowed {
		names = append(names, operation.String())
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

// list takes types=a,b and states=a,b.
func (t *groupTool) list(arguments []string) error {
	filters := map[string][]string{}
	for _, argument := range arguments {
		name, values, _ := strings.Cut(argument, "=")
		filters[name] = strings.Split(values, ",")
	}
	listed, err := t.admin.ListGroupsByType(t.ctx, filters["types"], filters["states"]...)
	for _, group := range listed.Sorted() {
		t.print("%s  protocol type %q  state %s  coordinator %d", group.Group, group.ProtocolType, group.State, group.Coordinator)
	}
	return err
}

func (t *groupTool) describe(groups []string) error {
	described, err := t.admin.DescribeGroups(t.ctx, groups...)
	for _, group := range described.Sorted() {
		t.print("%s  %s  state %s  protocol type %q  protocol %q  coordinator %d  allowed %s", group.Group, outcome(group.Err), group.State,
			group.ProtocolType, group.Protocol, group.Coordinator.NodeID, operations(group.AuthorizedOperations))
		for _, member := range group.Members {
			topics, assigned := []string{}, kadm.TopicsSet{}
			if join, ok := member.Join.AsConsumer(); ok {
				topics = join.Topics
			}
			if assignment, ok := member.Assigned.AsConsumer(); ok {
				for _, topic := range assignment.Topics {
					assigned.Add(topic.Topic, topic.Partitions...)
				}
			}
			t.print("member %s  instance %s  client %s  host %s  topics %v  assigned %s", member.MemberID, optional(member.InstanceID),
				member.ClientID, member.ClientHost, topics, partitions(assigned))
		}
	}
	return err
}

func (t *groupTool) describeConsumer(groups []string) error {
	described, err := t.admin.DescribeConsumerGroups(t.ctx, groups...)
	names := make([]string, 0, len(described))
	for name := range described {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		group := described[name]
		t.print("%s  %s  state %s  epoch %d  assignment epoch %d  assignor %q  coordinator %d  allowed %s", group.Group, outcome(group.Err),
			group.State, group.Epoch, group.AssignmentEpoch, group.AssignorName, group.Coordinator.NodeID, operations(group.AuthorizedOperations))
		for _, member := range group.Members {
			t.print("member %s  instance %s  rack %s  epoch %d  type %d  client %s  host %s  topics %v  regex %s  assigned %s  target %s",
				member.MemberID, optional(member.InstanceID), optional(member.RackID), member.MemberEpoch, member.MemberType, member.ClientID,
				member.ClientHost, member.SubscribedTopics, optional(member.SubscribedTopicRegex), partitions(member.Assignment),
				partitions(member.TargetAssignment))
		}
	}
	return err
}

func (t *groupTool) lag(groups []string) error {
	lags, err := t.admin.Lag(t.ctx, groups...)
	for _, group := range lags.Sorted() {
		t.print("%s  %s  state %s  total %d", group.Group, outcome(group.Error()), group.State, group.Lag.Total())
		for _, each := range group.Lag.Sorted() {
			t.print("%s:%d  committed %d  start %d  end %d  lag %d", each.Topic, each.Partition, each.Commit.At, each.Start.Offset, each.End.Offset, each.Lag)
		}
	}
	return err
}

func (t *groupTool) printOffsets(offsets kadm.OffsetResponses) {
	for _, each := range offsets.Sorted() {
		t.print("%s:%d  %s  offset %d  leader epoch %d  metadata %q", each.Topic, each.Partition, outcome(each.Err), each.At, each.LeaderEpoch, each.Metadata)
	}
}

// offsets takes a group, and perhaps topics.
func (t *groupTool) offsets(arguments []string) error {
	var found kadm.OffsetResponses
	var err error
	if len(arguments) > 1 {
		found, err = t.admin.FetchOffsetsForTopics(t.ctx, arguments[0], arguments[1:]...)
	} else {
		found, err = t.admin.FetchOffsets(t.ctx, arguments[0])
	}
	t.printOffsets(found)
	return err
}

// place is the partition of "topic:partition".
func place(text string) (topic string, partition int32, err error) {
	topic, number, _ := strings.Cut(text, ":")
	parsed, err := strconv.ParseInt(number, 10, 32)
	return topic, int32(parsed), err
}

// commit takes a group, and "topic:partition=offset" or "topic:partition=offset=metadata" each.
func (t *groupTool) commit(arguments []string) error {
	offsets := kadm.Offsets{}
	for _, argument := range arguments[1:] {
		parts := strings.SplitN(argument, "=", 3)
		topic, partition, err := place(parts[0])
		if err != nil {
			return err
		}
		at, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return err
		}
		offset := kadm.Offset{Topic: topic, Partition: partition, At: at, LeaderEpoch: -1}
		if len(parts) == 3 {
			offset.Metadata = parts[2]
		}
		offsets.Add(offset)
	}
	committed, err := t.admin.CommitOffsets(t.ctx, arguments[0], offsets)
	t.printOffsets(committed)
	return err
}

// deleteOffsets takes a group, and "topic:partition" each.
func (t *groupTool) deleteOffsets(arguments []string) error {
	set := kadm.TopicsSet{}
	for _, argument := range arguments[1:] {
		topic, partition, err := place(argument)
		if err != nil {
			return err
		}
		set.Add(topic, partition)
	}
	deleted, err := t.admin.DeleteOffsets(t.ctx, arguments[0], set)
	for _, topic := range set.Sorted() {
		for _, partition := range topic.Partitions {
			if found, ok := deleted.Lookup(topic.Topic, partition); ok {
				t.print("%s:%d  %s", topic.Topic, partition, outcome(found))
			}
		}
	}
	return err
}

// leave takes a group, and instance ids.
func (t *groupTool) leave(arguments []string) error {
	left, err := t.admin.LeaveGroup(t.ctx, kadm.LeaveGroup(arguments[0]).Reason("asked to").InstanceIDs(arguments[1:]...))
	for _, each := range left.Sorted() {
		t.print("%s  %s  member %s", each.InstanceID, outcome(each.Err), each.MemberID)
	}
	return err
}

func (t *groupTool) delete(groups []string) error {
	deleted, err := t.admin.DeleteGroups(t.ctx, groups...)
	for _, group := range deleted.Sorted() {
		t.print("%s  %s", group.Group, outcome(group.Err))
	}
	return err
}

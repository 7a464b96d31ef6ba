package lineserver

import (
	"context"
	"fmt"
)

// Transaction is a step of a transact command: Values are written, or what a member of Group reads From a topic, and its offsets.
type Transaction struct {
	Values [][]byte `json:"values"`
	From   string   `json:"from"`
	Group  string   `json:"group"`
	Count  int      `json:"count"`
	Commit bool     `json:"commit"`
	Fence  bool     `json:"fence"`
}

// Transactional is implemented by clients that have transactions.
type Transactional interface {
	// Transact goes through the transactions c.Steps as the producer c.TransactionalID and returns the outcome of each.
	Transact(ctx context.Context, c *Command) ([]string, error)
}

// Outcome is what came of a step, given the error of its commit or abort; an error that another instance was to cause is one.
func (t *Transaction) Outcome(err error) (string, error) {
	switch {
	case err != nil && t.Fence:
		return fmt.Sprintf("fenced: %v", err), nil
	case err != nil:
		return "", err
	case t.Commit:
		return "committed", nil
	}
	return "aborted", nil
}

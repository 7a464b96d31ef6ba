package lineserver

import (
	"context"
	"fmt"
	"time"
)

// Step is one call of an admin walk and the check of its answer; Name is what the walk reports.
type Step struct {
	Name string
	Run  func() error
}

// Walk runs the steps in order and stops at the first error, which then begins with the name of its step. It returns the
// names of the steps that went well.
func Walk(steps []Step) ([]string, error) {
	done := make([]string, 0, len(steps))
	for _, step := range steps {
		if err := step.Run(); err != nil {
			return done, fmt.Errorf("%s: %w", step.Name, err)
		}
		done = append(done, step.Name)
	}
	return done, nil
}

// Eventually tries a check until it succeeds, for 10 s: what one request changed may reach the next one a moment later.
// It returns the last error.
func Eventually(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Same returns an error that names what, unless got equals want.
func Same[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, not %v", what, got, want)
	}
	return nil
}

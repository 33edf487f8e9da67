package main

import "sync"

// crew does tasks, one for each worker at a time. One that fails, and the user's interrupt, are the end of them all.
type crew struct {
	*tool
	busy  chan struct{} // has an element for each task under way
	tasks sync.WaitGroup

	mu     sync.Mutex
	number int   // of tasks that were begun
	failed int   // the number of the first task that failed
	err    error // its error
}

func (t *tool) newCrew(workers int) *crew { return &crew{tool: t, busy: make(chan struct{}, workers)} }

// do begins a task, as soon as a worker is free. It refuses to if there is an error, which it returns.
func (c *crew) do(task func() error) error {
	c.busy <- struct{}{}
	if err := c.error(); err != nil {
		<-c.busy
		return err
	}
	c.number++
	number := c.number
	c.tasks.Go(func() {
		defer func() { <-c.busy }()
		if err := task(); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.err == nil || number < c.failed {
				c.failed, c.err = number, err
			}
		}
	})
	return nil
}

// wait waits until all tasks are done, and returns the first error.
func (c *crew) wait() error {
	c.tasks.Wait()
	return c.error()
}

// error returns the error of the first task that failed, or says that the user has interrupted.
func (c *crew) error() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.ctx.Err() != nil {
		return errInterrupted
	}
	return c.err
}

// each does the pieces of a whole of that size, and waits until they are done.
func (c *crew) each(size, piece int64, do func(off, n int64) error) error {
	for off := int64(0); off < size; off += piece {
		if err := c.do(func() error { return do(off, min(piece, size-off)) }); err != nil {
			break
		}
	}
	return c.wait()
}

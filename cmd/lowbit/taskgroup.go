package main

import "sync"

// taskGroup does tasks, one for each worker at a time. One that fails, and the user's interrupt, are the end of them all. Unlike an errgroup's, its
// error does not depend on time: it is that of the task that was begun first.
type taskGroup struct {
	*tool
	busy  chan struct{} // has an element for each task under way
	tasks sync.WaitGroup

	mu     sync.Mutex
	number int   // of tasks that were begun
	failed int   // the number of the first task that failed
	err    error // its error
}

func (t *tool) newTaskGroup(workers int) *taskGroup {
	return &taskGroup{tool: t, busy: make(chan struct{}, workers)}
}

// do begins a task, as soon as a worker is free. It refuses to if there is an error, which it returns.
func (g *taskGroup) do(task func() error) error {
	g.busy <- struct{}{}
	if err := g.error(); err != nil {
		<-g.busy
		return err
	}
	g.number++
	number := g.number
	g.tasks.Go(func() {
		defer func() { <-g.busy }()
		if err := task(); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.err == nil || number < g.failed {
				g.failed, g.err = number, err
			}
		}
	})
	return nil
}

// wait waits until all tasks are done, and returns the first error.
func (g *taskGroup) wait() error {
	g.tasks.Wait()
	return g.error()
}

// error returns the error of the first task that failed, or says that the user has interrupted.
func (g *taskGroup) error() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil && g.ctx.Err() != nil {
		return errInterrupted
	}
	return g.err
}

// each does the pieces of a whole of that size, and waits until they are done.
func (g *taskGroup) each(size, piece int64, do func(off, n int64) error) error {
	for off := int64(0); off < size; off += piece {
		if err := g.do(func() error { return do(off, min(piece, size-off)) }); err != nil {
			break
		}
	}
	return g.wait()
}

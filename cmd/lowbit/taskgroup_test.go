package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTaskGroup(t *testing.T) {
	c := (&tool{ctx: context.Background()}).newTaskGroup(3)
	var busy, most, done atomic.Int64
	for range 100 {
		require.NoError(t, c.do(func() error {
			if n := busy.Add(1); n > most.Load() {
				most.Store(n)
			}
			done.Add(1)
			busy.Add(-1)
			return nil
		}))
	}
	require.NoError(t, c.wait())
	assert.EqualValues(t, 100, done.Load())
	assert.LessOrEqual(t, most.Load(), int64(3))
}

// Of several tasks that fail, the first counts, whichever is done first. There is no other after it.
func TestTaskGroupFails(t *testing.T) {
	c := (&tool{ctx: context.Background()}).newTaskGroup(3)
	first, second := errors.New("first"), errors.New("second")
	later := make(chan bool)
	require.NoError(t, c.do(func() error { return nil }))
	require.NoError(t, c.do(func() error { <-later; return first }))
	require.NoError(t, c.do(func() error { defer close(later); return second }))
	assert.Equal(t, first, c.wait())
	assert.Equal(t, first, c.do(func() error { panic("begun") }))
	assert.Equal(t, first, c.each(10, 1, func(off, n int64) error { panic("begun") }))
	assert.Equal(t, first, c.wait())
}

func TestTaskGroupInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	c := (&tool{ctx: ctx}).newTaskGroup(1)
	sum := int64(0)
	require.NoError(t, c.each(10, 4, func(off, n int64) error { sum += 100*off + n; return nil }))
	assert.EqualValues(t, 1210, sum)
	assert.Equal(t, errInterrupted, c.each(10, 1, func(off, n int64) error { interrupt(); return nil }))
	assert.Equal(t, errInterrupted, c.do(func() error { panic("begun") }))
}

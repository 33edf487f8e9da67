package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bench"
)

// interruptAfter interrupts when so many lines are written.
type interruptAfter struct {
	bytes.Buffer
	lines int
	stop  func()
}

func (w *interruptAfter) Write(p []byte) (int, error) {
	defer func() {
		if strings.Count(w.String(), "\n") >= w.lines {
			w.stop()
		}
	}()
	return w.Buffer.Write(p)
}

// An interrupted bench leaves the rows that it has.
func TestBenchInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	out := &interruptAfter{lines: 4, stop: stop} // the head, a blank, names, a row
	var stderr bytes.Buffer
	require.Equal(t, exitFailed, run(ctx, []string{"bench", "--isa", "generic", "--n", "64", "--op", "^quantize/int8"}, out, &stderr))
	assert.Equal(t, "lowbit: interrupted\n", stderr.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 4)
	assert.Contains(t, lines[0], "about ")
	assert.Regexp(t, `^quantize/int8\S* +generic +64 `, lines[3])

	ctx, stop = context.WithCancel(context.Background())
	out = &interruptAfter{lines: 1, stop: stop}
	stderr.Reset()
	require.Equal(t, exitFailed, run(ctx, []string{"bench", "--json", "--isa", "generic", "--n", "64", "--op", "^quantize/int8"}, out, &stderr))
	var rows []bench.Result
	require.NoError(t, json.Unmarshal(out.Bytes(), &rows), out.String())
	assert.Len(t, rows, 1)
}

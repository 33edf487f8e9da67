package beam

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A worker tells how far it has come once in ten seconds, if it comes further.
func TestMeter(t *testing.T) {
	at := time.Unix(1e9, 0)
	m := meter{every: progress.every, now: func() time.Time { return at }}
	for _, step := range []struct {
		after float64 // seconds
		want  string
	}{
		{0, ""},
		{9.9, ""},
		{0.1, "this worker has written 3 of 20 GB"},
		{1, ""},
		{25, "this worker has written 5 of 20 GB"},
		{9.9, ""},
		{0.1, "this worker has written 7 of 20 GB"},
	} {
		at = at.Add(time.Duration(step.after * float64(time.Second)))
		require.Equal(t, step.want, m.count(1e9, 20e9))
	}
}

// What workers tell reaches the log of the runner.
func TestProgressIsLogged(t *testing.T) {
	told := make(chan string, 100)
	before, every := slog.Default(), progress.every
	slog.SetDefault(slog.New(logChannel{before.Handler(), told}))
	progress.mu.Lock()
	progress.every = 0
	progress.mu.Unlock()
	defer func() {
		slog.SetDefault(before)
		progress.mu.Lock()
		progress.every = every
		progress.mu.Unlock()
	}()
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	makeModel(t, in, 1)
	_, err := Run(t.Context(), Job{Do: quantize, In: in, Out: filepath.Join(dir, "out"), Preset: "int8", Piece: 8 << 10, Span: 1})
	require.NoError(t, err)
	for text := range told {
		if strings.Contains(text, "this worker has written ") {
			break
		}
	}
}

// logChannel sends messages to a channel as long as it takes them.
type logChannel struct {
	slog.Handler
	to chan string
}

func (c logChannel) Handle(ctx context.Context, r slog.Record) error {
	select {
	case c.to <- r.Message:
	default:
	}
	return nil
}

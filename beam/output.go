package beam

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
)

// span is the pieces [First, End) of a shard.
type span struct{ First, End int }

// String is the name of what is staged of a span.
func (s span) String() string { return fmt.Sprintf("%08d-%08d", s.First, s.End) }

// parseSpan is the inverse of String; what has another form is no span.
func parseSpan(name string) (s span, ok bool) {
	first, end, _ := strings.Cut(name, "-")
	var err error
	if s.First, err = strconv.Atoi(first); err == nil {
		s.End, err = strconv.Atoi(end)
	}
	return s, err == nil && 0 <= s.First && s.First < s.End && s.String() == name
}

// gaps returns what spans leave of n pieces, in order.
func gaps(spans []span, n int) (left []span) {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.First, b.First) })
	at := 0
	for _, s := range append(spans, span{n, n}) {
		if s.First = min(s.First, n); s.First > at {
			left = append(left, span{at, s.First})
		}
		at = max(at, s.End)
	}
	return left
}

// output is where the files of a plan are made. A shard is known by its number in the plan. All methods may be called by several workers at
// a time, as often as they like.
type output interface {
	// begin makes the stage ready, or takes up what an earlier run has left.
	begin(ctx context.Context) error

	// prepare makes a shard ready, and tells which of its pieces are staged.
	prepare(ctx context.Context, shard int) ([]span, error)

	// stage opens a span of a shard, of which no piece is staged.
	stage(ctx context.Context, shard int, s span) (staging, error)

	// join makes one of a shard's pieces, which all must be staged.
	join(ctx context.Context, shard int) error

	// copy copies a file of the input.
	copy(ctx context.Context, f File) error

	// finish makes the checkpoint appear.
	finish(ctx context.Context) error

	// drop removes the stages of this job and of others that were not finished.
	drop(ctx context.Context) error
}

// staging takes the pieces of a span.
type staging interface {
	// write takes a piece's results: data and the byte of the shard that they belong to. Pieces may be written at the same time.
	write(piece int, results []result) error

	// commit makes the span staged.
	commit() error

	// abort drops it, unless it is committed.
	abort()
}

// result is bytes of a shard.
type result struct {
	data []byte
	off  int64
}

// runsOf are where a piece's results belong in its shard.
func runsOf(s *checkpoint.Shard, piece int) (runs []extent) {
	for _, r := range s.Pieces[piece].Runs {
		runs = append(runs, extent{int64(len(s.Head)) + s.Tensors[r.Output].Offset + r.Offset, r.Size})
	}
	return runs
}

// extent is a run of a shard's bytes.
type extent struct{ off, size int64 }

// whole tells whether a place has all that the plan comes to, as far as names, sizes and headers tell, and was finished after the input was
// last written. It is an error if it holds anything else.
func (w *work) whole(ctx context.Context, p *place) (bool, error) {
	files, err := p.list(ctx)
	if err != nil || len(files) == 0 {
		return false, err
	}
	byName := map[string]File{}
	for _, f := range files {
		byName[f.Name] = f
	}
	mark := File{}
	text := func(name string, want []byte) bool {
		f, ok := byName[name]
		got := make([]byte, len(want))
		if ok = ok && f.Size >= int64(len(want)); ok && err == nil {
			err = p.read(ctx, f, got, 0)
		}
		mark = f
		return ok && string(got) == string(want)
	}
	all := true
	for _, f := range w.others {
		g, ok := byName[f.Name]
		all = all && ok && g.Size == f.Size
	}
	if w.plan.Config != nil {
		all = all && text(configFile, w.plan.Config)
	}
	for i := range w.plan.Shards {
		s := &w.plan.Shards[i]
		all = all && byName[s.Name].Size == s.Size && text(s.Name, s.Head)
	}
	if w.plan.Index != nil {
		all = all && text(w.plan.IndexName(), w.plan.Index)
	}
	if err != nil || !all {
		return false, err
	}
	for _, f := range w.job.Input {
		if f.Time.After(mark.Time) {
			return false, fmt.Errorf("%s: holds the result of an earlier run, since when %s has changed", p.url, f.Name)
		}
	}
	return true, nil
}

// configFile is written anew where a plan has one.
const configFile = "config.json"

package beam

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// span is the pieces [First, End) of a target.
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

// output is where files are made. A target is known by its number. All methods may be called by several workers at
// a time, as often as they like.
type output interface {
	// begin makes the stage ready, or takes up what an earlier run has left.
	begin(ctx context.Context) error

	// prepare makes a target ready, and tells which of its pieces are staged.
	prepare(ctx context.Context, target int) ([]span, error)

	// stage opens a span of a target, of which no piece is staged.
	stage(ctx context.Context, target int, s span) (staging, error)

	// join makes one of a target's pieces, which all must be staged.
	join(ctx context.Context, target int) error

	// copy copies a file of the input.
	copy(ctx context.Context, f File) error

	// note keeps something in the stage under a name, and noted returns it; where it is not, the error is that of a missing file.
	note(ctx context.Context, name string, data []byte) error
	noted(ctx context.Context, name string) ([]byte, error)

	// finish writes the texts, and makes all appear.
	finish(ctx context.Context) error

	// drop removes the stages of this job and of others that were not finished.
	drop(ctx context.Context) error
}

// staging takes the pieces of a span.
type staging interface {
	// write takes a piece's results: data and the byte of the target that they belong to. Pieces may be written at the same time.
	write(piece int, results []result) error

	// commit makes the span staged.
	commit() error

	// abort drops it, unless it is committed.
	abort()
}

// result is bytes of a target.
type result struct {
	data []byte
	off  int64
}

// whole tells whether a place has all that the job comes to, as far as names, sizes and headers tell, and was finished after the input was
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
	begins := func(name string, want []byte) bool {
		got := make([]byte, len(want))
		if err == nil {
			err = p.read(ctx, byName[name], got, 0)
		}
		return string(got) == string(want)
	}
	for _, f := range w.others {
		if g, ok := byName[f.Name]; !ok || g.Size != f.Size {
			return false, nil
		}
	}
	for _, t := range w.texts {
		if byName[t.name].Size != int64(len(t.content)) {
			return false, nil
		}
	}
	for _, t := range w.targets {
		if f, ok := byName[t.name]; !ok || f.Size != t.size {
			return false, nil
		}
	}
	all := true // now that all are there, they are read
	for _, t := range w.texts {
		all = all && begins(t.name, t.content)
	}
	for _, t := range w.targets {
		all = all && begins(t.name, t.head)
	}
	if err != nil || !all {
		return false, err
	}
	for _, f := range w.job.Input {
		if f.Time.After(byName[w.mark()].Time) {
			return false, fmt.Errorf("%s: holds the result of an earlier run, since when %s has changed", p.url, f.Name)
		}
	}
	return true, nil
}

package beam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/metrics"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"
)

// Result is what a run has done.
type Result struct {
	Nothing  bool             // there was nothing to do: an earlier run has done it
	Counters map[string]int64 // by their names
}

// Run does a job on the runner that the flags of package beamx name, prism in this process unless one is named.
func Run(ctx context.Context, j Job) (r Result, err error) {
	if err := j.begin(ctx); err != nil {
		return r, err
	}
	defer forget(j)
	p, s := beam.NewPipelineWithRoot()
	switch j.Do {
	case toCompare:
		if _, err := j.pair(ctx); err != nil {
			return r, err
		}
		compare(s, j)
		return run(ctx, p)
	case toState:
		if _, err := j.batches(ctx); err != nil {
			return r, err
		}
		calibrate(s, j)
		return run(ctx, p)
	}
	w, err := newWork(ctx, j)
	if err != nil {
		return r, err
	}
	if done, err := w.whole(ctx, w.place); err != nil || done {
		r.Nothing = done
		if done {
			err = w.out.drop(ctx)
		}
		return r, err
	}
	if err := w.out.begin(ctx); err != nil {
		return r, err
	}
	build(s, j, len(w.facts) > 0)
	return run(ctx, p)
}

// begin makes sure that there is such a job, makes paths absolute, as workers may be in other folders, and finds out what the input is.
func (j *Job) begin(ctx context.Context) (err error) {
	if err := j.Check(); err != nil {
		return err
	}
	for _, at := range []*string{&j.In, &j.Out, &j.Against} {
		if *at == "" || strings.Contains(*at, "://") {
			continue
		}
		if *at, err = filepath.Abs(*at); err != nil {
			return err
		}
	}
	if j.Input, err = j.input(ctx); err == nil && j.Do == toCompare {
		j.Second, _, err = listAll(ctx, j.Against)
	}
	return err
}

// run runs a pipeline.
func run(ctx context.Context, p *beam.Pipeline) (Result, error) {
	result, err := beamx.RunWithMetrics(ctx, p)
	if err != nil {
		return Result{}, reasonOf(err)
	}
	r := Result{Counters: map[string]int64{}}
	for _, c := range result.Metrics().Query(func(m metrics.SingleResult) bool { return m.Namespace() == "lowbit" }).Counters() {
		r.Counters[c.Name()] += c.Result()
	}
	return r, nil
}

// reasonOf is what a function said of its failure, if the engine tells, without what it says of its stages.
func reasonOf(err error) error {
	if _, reason, ok := strings.Cut(err.Error(), "] failed:\n"); ok {
		return errors.New(strings.TrimSpace(reason))
	}
	return err
}

// DryRun prints what a job would do.
func DryRun(ctx context.Context, out io.Writer, j Job) error {
	if err := j.begin(ctx); err != nil {
		return err
	}
	defer forget(j)
	if j.Do == toCompare || j.Do == toState {
		bytes := int64(0)
		for _, f := range slices.Concat(j.Input, j.Second) {
			bytes += f.Size
		}
		_, err := fmt.Fprintf(out, "%d files of %d bytes would be read; nothing is written\n", len(j.Input)+len(j.Second), bytes)
		return err
	}
	w, err := newWork(ctx, j)
	if err != nil {
		return err
	}
	list := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(list, "FILE\tPIECES\tBYTES BEFORE\tAFTER")
	for _, t := range w.targets {
		fmt.Fprintf(list, "%s\t%d\t%d\t%d\n", t.name, t.pieces, t.from.Size, t.size)
	}
	for _, f := range w.others {
		fmt.Fprintf(list, "%s\tcopied\t%d\t%d\n", f.Name, f.Size, f.Size)
	}
	if err := list.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s; nothing is written\n", w.summary)
	return err
}

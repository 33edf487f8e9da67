package beam

import (
	"context"
	"fmt"
	"io"
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
	w, err := j.begin(ctx)
	if err != nil {
		return r, err
	}
	defer forget(w.job)
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
	p, s := beam.NewPipelineWithRoot()
	convert(s, w.job)
	return run(ctx, p)
}

// begin makes sure that there is such a job, and what its input is.
func (j Job) begin(ctx context.Context) (*work, error) {
	if err := j.Check(); err != nil {
		return nil, err
	}
	var err error
	if j.Input, err = j.input(ctx); err != nil {
		return nil, err
	}
	return newWork(ctx, j)
}

// run runs a pipeline.
func run(ctx context.Context, p *beam.Pipeline) (Result, error) {
	result, err := beamx.RunWithMetrics(ctx, p)
	if err != nil {
		return Result{}, err
	}
	r := Result{Counters: map[string]int64{}}
	for _, c := range result.Metrics().Query(func(m metrics.SingleResult) bool { return m.Namespace() == "lowbit" }).Counters() {
		r.Counters[c.Name()] += c.Result()
	}
	return r, nil
}

// DryRun prints what a job would do.
func DryRun(ctx context.Context, out io.Writer, j Job) error {
	w, err := j.begin(ctx)
	if err != nil {
		return err
	}
	defer forget(w.job)
	list := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(list, "FILE\tPIECES\tBYTES BEFORE\tAFTER")
	for _, s := range w.plan.Shards {
		fmt.Fprintf(list, "%s\t%d\t%d\t%d\n", s.Name, len(s.Pieces), w.in.files[s.Name].Size, s.Size)
	}
	for _, f := range w.others {
		fmt.Fprintf(list, "%s\tcopied\t%d\t%d\n", f.Name, f.Size, f.Size)
	}
	if err := list.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%d of %d tensors would be converted, %d bytes to %d; nothing is written\n", w.plan.Converted(), len(w.plan.Changes), w.plan.Before, w.plan.After)
	return err
}

package beam

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/nonfinite"
	"github.com/lowbit-go/lowbit/safetensors"
)

// work is a job that makes files, as a worker knows it: all of it follows from the job.
type work struct {
	*content
	job   Job
	in    *snapshot
	place *place // of the output
	out   output
	odd   sync.Map // tensors in which not all is finite, of which the log has told
}

// newWork makes what a worker knows of a job, unless it is made already.
func newWork(ctx context.Context, j Job) (*work, error) {
	return keep(j, func() (*work, error) { return makeWork(context.WithoutCancel(ctx), j) })
}

func makeWork(ctx context.Context, j Job) (_ *work, err error) {
	w := &work{job: j}
	in, err := openPlace(ctx, j.In)
	if err != nil {
		return nil, err
	}
	if w.place, err = openPlace(ctx, j.Out); err != nil {
		return nil, err
	}
	w.in = newSnapshot(ctx, in, j.Input)
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", in.url, err)
		}
	}()
	if j.Do == toRecords {
		w.content, err = vectors(&j, w.in)
	} else {
		w.content, err = convert(&j, w.in, w.known, w.nonFinite)
	}
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, t := range w.targets {
		if names[t.name] {
			return nil, fmt.Errorf("%s would be written twice", t.name)
		}
		names[t.name] = true
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", w.digest, j.Piece, pack(j.Input)))
	w.digest = fmt.Sprintf("%x", sum[:8])
	if w.place.dir != "" {
		w.out = &folderOutput{w, w.place.dir}
	} else {
		w.out = &bucketOutput{w, w.place}
	}
	return w, nil
}

// nonFinite refuses what is not finite, or tells once of a tensor that has it.
func (w *work) nonFinite(t *checkpoint.Tensor, nans, infinities, first int) error {
	what := fmt.Sprintf("element %d is %s", first, nonfinite.Name(nans, infinities))
	if w.job.NonFinite == refuse {
		return &safetensors.Error{File: t.Parts()[0].File.Name(), Tensor: t.Name(), Err: fmt.Errorf("%s, and non-finite is %s", what, refuse)}
	}
	if _, told := w.odd.LoadOrStore(t, true); !told {
		log.Warnf(context.Background(), "%s: a group with a NaN or an infinity loses its other values: %s, and there may be others", t.Name(), what)
	}
	return nil
}

// input lists the files of the input.
func (j *Job) input(ctx context.Context) ([]File, error) {
	out, err := openPlace(ctx, j.Out)
	if err != nil {
		return nil, err
	}
	files, in, err := listAll(ctx, j.In)
	if within := in.within(out); err == nil && within != "" {
		files = slices.DeleteFunc(files, func(f File) bool { return f.Name == within || strings.HasPrefix(f.Name, within+"/") })
	}
	return files, err
}

// listAll lists the files of a place, of which there must be some.
func listAll(ctx context.Context, at string) ([]File, *place, error) {
	p, err := openPlace(ctx, at)
	if err != nil {
		return nil, &place{}, err
	}
	files, err := p.list(ctx)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: has no files", p.url)
	}
	return files, p, err
}

// do does a span of a target's pieces, some at a time.
func (w *work) do(ctx context.Context, target int, s span) (err error) {
	to, err := w.out.stage(ctx, target, s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pieces := make(chan int)
	var workers sync.WaitGroup
	for range min(w.job.workers(), s.End-s.First) {
		workers.Go(func() {
			scratch := scratches.Get().(*checkpoint.Scratch)
			defer scratches.Put(scratch)
			for p := range pieces {
				if ctx.Err() != nil {
					continue
				}
				if err := w.piece(scratch, to, target, p); err != nil {
					cancel(err)
				}
			}
		})
	}
	for p := s.First; p < s.End; p++ {
		pieces <- p
	}
	close(pieces)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		to.abort()
		return err
	}
	return to.commit()
}

var scratches = sync.Pool{New: func() any { return new(checkpoint.Scratch) }}

// piece does a piece.
func (w *work) piece(scratch *checkpoint.Scratch, to staging, target, piece int) error {
	var results []result
	if err := w.targets[target].do(scratch, piece, func(data []byte, off int64) error {
		results = append(results, result{data, off})
		return nil
	}); err != nil {
		return err
	}
	return to.write(piece, results)
}

// finish makes all appear, if the input is still what it was.
func (w *work) finish(ctx context.Context) error {
	if done, err := w.whole(ctx, w.place); err != nil || done {
		return err
	}
	now, err := w.job.input(ctx)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(now, w.job.Input, File.same) {
		return fmt.Errorf("%s: %w", w.in.url, errChanged)
	}
	if err := w.out.finish(ctx); err != nil {
		return err
	}
	return w.out.drop(ctx)
}

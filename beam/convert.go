package beam

import (
	"context"
	"fmt"
	"strconv"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

func init() {
	// Not register.DoFn3x1 and its like: their type parameters cost the compiler a gigabyte and half a minute. Elements stand for megabytes, and
	// reflection is nothing beside them.
	beam.RegisterDoFn(&listFn{})
	beam.RegisterDoFn(&splitFn{})
	beam.RegisterDoFn(&doFn{})
	beam.RegisterDoFn(&joinFn{})
	beam.RegisterDoFn(&finishFn{})
}

// The counters of a conversion.
var (
	piecesDone  = beam.NewCounter("lowbit", "pieces_done")
	piecesTaken = beam.NewCounter("lowbit", "pieces_taken_up") // that an earlier run had done
	bytesRead   = beam.NewCounter("lowbit", "bytes_read")
	bytesWrote  = beam.NewCounter("lowbit", "bytes_written")
	tensorsDone = beam.NewCounter("lowbit", "tensors")
)

// convert adds a conversion to a pipeline. Keys are shards by their numbers, and "" for all else.
func convert(s beam.Scope, j Job) {
	shards := beam.Reshuffle(s, beam.ParDo(s, &listFn{j}, beam.Impulse(s)))
	tasks := beam.Reshuffle(s, beam.ParDo(s, &splitFn{j}, shards))
	done := beam.GroupByKey(s, beam.ParDo(s, &doFn{j}, tasks))
	joined := beam.GroupByKey(s, beam.ParDo(s, &joinFn{j}, done))
	beam.ParDo0(s, &finishFn{j}, joined)
}

// task is what goes through the engine: a span of a shard, or, with a Copy, a file that is copied.
type task struct {
	Shard int
	Span  span
	Copy  string `json:",omitempty"`
}

// listFn lists the shards, and the files that are copied.
type listFn struct{ Job Job }

// ProcessElement emits tasks with empty spans.
func (f *listFn) ProcessElement(ctx context.Context, _ []byte, emit func([]byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	for i := range w.plan.Shards {
		emit(pack(task{Shard: i}))
	}
	for _, o := range w.others {
		emit(pack(task{Copy: o.Name}))
	}
	return nil
}

// splitFn splits shards into spans.
type splitFn struct{ Job Job }

// ProcessElement emits what is left to do, by shard. A task with an empty span says that the shard is ready.
func (f *splitFn) ProcessElement(ctx context.Context, packed []byte, emit func(string, []byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	t, err := unpack[task](packed)
	if err != nil {
		return err
	}
	if t.Copy != "" {
		emit("", packed)
		return nil
	}
	key := strconv.Itoa(t.Shard)
	if done, err := w.whole(ctx, w.place); err != nil {
		return err
	} else if done {
		emit(key, packed)
		return nil
	}
	staged, err := w.out.prepare(ctx, t.Shard)
	if err != nil {
		return err
	}
	s := &w.plan.Shards[t.Shard]
	left := len(s.Pieces)
	for _, gap := range gaps(staged, len(s.Pieces)) {
		left -= gap.End - gap.First
		for ; gap.First < gap.End; gap.First += w.job.Span {
			emit(key, pack(task{Shard: t.Shard, Span: span{gap.First, min(gap.End, gap.First+w.job.Span)}}))
		}
	}
	piecesTaken.Inc(ctx, int64(left))
	emit(key, packed)
	return nil
}

// doFn does tasks.
type doFn struct{ Job Job }

// ProcessElement emits the task's key and what is to be joined.
func (f *doFn) ProcessElement(ctx context.Context, key string, packed []byte, emit func(string, []byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	t, err := unpack[task](packed)
	if err != nil {
		return err
	}
	n := int64(t.Span.End - t.Span.First)
	if t.Copy != "" {
		err = w.out.copy(ctx, w.in.files[t.Copy])
	} else if n > 0 {
		err = w.do(ctx, t.Shard, t.Span)
	}
	if err != nil {
		// A worker that was given up for dead, or a stage that the engine does again, comes too late: that is no failure.
		if done, e := w.whole(ctx, w.place); e != nil || !done {
			return fmt.Errorf("%s: %w", w.in.url, err)
		}
	}
	if n > 0 {
		piecesDone.Inc(ctx, n)
		w.count(ctx, t)
	}
	emit(key, pack(task{Shard: t.Shard, Copy: t.Copy}))
	return nil
}

// count counts what a task has read and written.
func (w *work) count(ctx context.Context, t task) {
	s := &w.plan.Shards[t.Shard]
	wrote := int64(0)
	for p := t.Span.First; p < t.Span.End; p++ {
		for _, r := range s.Pieces[p].Runs {
			wrote += r.Size
		}
	}
	bytesWrote.Inc(ctx, wrote)
	progress.add(ctx, wrote, w.plan.After)
}

// joinFn joins shards.
type joinFn struct{ Job Job }

// ProcessElement joins one shard, all of whose tasks are done.
func (f *joinFn) ProcessElement(ctx context.Context, key string, tasks func(*[]byte) bool, emit func(string, []byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	if shard, err := strconv.Atoi(key); err == nil {
		if done, err := w.whole(ctx, w.place); err != nil {
			return err
		} else if !done {
			if err := w.join(ctx, shard); err != nil {
				return err
			}
		}
		tensorsDone.Inc(ctx, int64(len(w.plan.Shards[shard].Tensors)))
	}
	emit("", []byte(key))
	return nil
}

// join joins a shard, all of whose pieces must be staged.
func (w *work) join(ctx context.Context, shard int) error {
	staged, err := w.out.prepare(ctx, shard)
	if err != nil {
		return err
	}
	s := &w.plan.Shards[shard]
	if left := gaps(staged, len(s.Pieces)); len(left) > 0 {
		return fmt.Errorf("%s: pieces %d to %d were not done", s.Name, left[0].First, left[0].End-1)
	}
	return w.out.join(ctx, shard)
}

// finishFn makes the checkpoint appear.
type finishFn struct{ Job Job }

// ProcessElement comes when all shards are joined.
func (f *finishFn) ProcessElement(ctx context.Context, _ string, joined func(*[]byte) bool) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	return w.finish(ctx)
}

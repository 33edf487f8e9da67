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

// The counters of a job that makes files.
var (
	piecesDone  = beam.NewCounter("lowbit", "pieces_done")
	piecesTaken = beam.NewCounter("lowbit", "pieces_taken_up") // that an earlier run had done
	bytesWrote  = beam.NewCounter("lowbit", "bytes_written")
	tensorsDone = beam.NewCounter("lowbit", "tensors")
)

// build adds a job that makes files to a pipeline, and what makes facts known if there are any. Keys are targets by their numbers, and "" for all else.
func build(s beam.Scope, j Job, facts bool) {
	begin := beam.Impulse(s)
	if facts {
		begin = factsFirst(s, j)
	}
	targets := beam.Reshuffle(s, beam.ParDo(s, &listFn{j}, begin))
	tasks := beam.Reshuffle(s, beam.ParDo(s, &splitFn{j}, targets))
	done := beam.GroupByKey(s, beam.ParDo(s, &doFn{j}, tasks))
	joined := beam.GroupByKey(s, beam.ParDo(s, &joinFn{j}, done))
	beam.ParDo0(s, &finishFn{j}, joined)
}

// task is what goes through the engine: a span of a target, or, with a Copy, a file that is copied.
type task struct {
	Target int
	Span   span
	Copy   string `json:",omitempty"`
}

// listFn lists the targets, and the files that are copied.
type listFn struct{ Job Job }

// ProcessElement emits tasks with empty spans.
func (f *listFn) ProcessElement(ctx context.Context, _ []byte, emit func([]byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	for i := range w.targets {
		emit(pack(task{Target: i}))
	}
	for _, o := range w.others {
		emit(pack(task{Copy: o.Name}))
	}
	return nil
}

// splitFn splits targets into spans.
type splitFn struct{ Job Job }

// ProcessElement emits what is left to do, by target. A task with an empty span says that the target is ready.
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
	key := strconv.Itoa(t.Target)
	if done, err := w.whole(ctx, w.place); err != nil {
		return err
	} else if done {
		emit(key, packed)
		return nil
	}
	staged, err := w.out.prepare(ctx, t.Target)
	if err != nil {
		return err
	}
	to := &w.targets[t.Target]
	left := to.pieces
	for _, gap := range gaps(staged, to.pieces) {
		left -= gap.End - gap.First
		for ; gap.First < gap.End; gap.First += w.job.Span {
			emit(key, pack(task{Target: t.Target, Span: span{gap.First, min(gap.End, gap.First+w.job.Span)}}))
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
		err = w.do(ctx, t.Target, t.Span)
	}
	if err = w.tooLate(ctx, err); err != nil {
		return err
	}
	if n > 0 {
		piecesDone.Inc(ctx, n)
		w.count(ctx, t)
	}
	emit(key, pack(task{Target: t.Target, Copy: t.Copy}))
	return nil
}

// tooLate drops the error of a worker that was given up for dead, or of a stage that the engine does again, when all is done: that is no failure.
func (w *work) tooLate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if done, e := w.whole(ctx, w.place); e == nil && done {
		return nil
	}
	forget(w.job) // a plan keeps what has failed, which may succeed when it is tried again
	return fmt.Errorf("%s: %w", w.in.url, err)
}

// count counts what a task has read and written.
func (w *work) count(ctx context.Context, t task) {
	to := &w.targets[t.Target]
	wrote := int64(0)
	for p := t.Span.First; p < t.Span.End; p++ {
		for _, r := range to.runs(p) {
			wrote += r.size
		}
	}
	bytesWrote.Inc(ctx, wrote)
	progress.add(ctx, wrote, w.after)
}

// joinFn joins targets.
type joinFn struct{ Job Job }

// ProcessElement joins one target, all of whose tasks are done.
func (f *joinFn) ProcessElement(ctx context.Context, key string, tasks func(*[]byte) bool, emit func(string, []byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	if target, err := strconv.Atoi(key); err == nil {
		if done, err := w.whole(ctx, w.place); err != nil {
			return err
		} else if !done {
			if err := w.join(ctx, target); err != nil {
				return err
			}
		}
		tensorsDone.Inc(ctx, int64(w.targets[target].tensors))
	}
	emit("", []byte(key))
	return nil
}

// join joins a target, all of whose pieces must be staged.
func (w *work) join(ctx context.Context, target int) error {
	staged, err := w.out.prepare(ctx, target)
	if err != nil {
		return err
	}
	to := &w.targets[target]
	if left := gaps(staged, to.pieces); len(left) > 0 {
		return fmt.Errorf("%s: pieces %d to %d were not done", to.name, left[0].First, left[0].End-1)
	}
	return w.out.join(ctx, target)
}

// finishFn makes all appear.
type finishFn struct{ Job Job }

// ProcessElement comes when all targets are joined.
func (f *finishFn) ProcessElement(ctx context.Context, _ string, joined func(*[]byte) bool) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	return w.finish(ctx)
}

package beam

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"

	"github.com/lowbit-go/lowbit/checkpoint"
)

// work is a conversion as a worker knows it: all of it follows from the job.
type work struct {
	job    Job
	in     *snapshot
	place  *place // of the output
	model  *checkpoint.Checkpoint
	plan   *checkpoint.Plan
	others []File // that are copied
	digest string
	out    output
	total  int64    // bytes that are read
	odd    sync.Map // tensors in which not all is finite, of which the log has told
}

// works are those that this process has begun, by their jobs.
var works = struct {
	sync.Mutex
	of map[string]*work
}{of: map[string]*work{}}

// newWork makes what a worker knows of a job, unless it is made already.
func newWork(ctx context.Context, j Job) (*work, error) {
	key := string(pack(j))
	works.Lock()
	defer works.Unlock()
	if w := works.of[key]; w != nil {
		return w, nil
	}
	w, err := makeWork(context.WithoutCancel(ctx), j)
	if err == nil {
		works.of[key] = w
	}
	return w, err
}

// forget makes a process forget a job.
func forget(j Job) {
	works.Lock()
	defer works.Unlock()
	delete(works.of, string(pack(j)))
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
	if w.model, err = checkpoint.OpenFS(w.in); err != nil {
		return nil, err
	}
	conversion, err := j.conversion(w.nonFinite)
	if err != nil {
		return nil, err
	}
	if w.plan, err = checkpoint.NewPlan(w.model, conversion, j.Piece); err != nil {
		return nil, err
	}
	names, err := w.plan.OtherFiles(nil)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		w.others = append(w.others, w.in.files[n])
	}
	digest, err := w.plan.Digest()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", digest, j.Piece, pack(j.Input)))
	w.digest = fmt.Sprintf("%x", sum[:8])
	for _, s := range w.plan.Shards {
		w.total += w.in.files[s.Name].Size
	}
	if w.place.dir != "" {
		w.out = &folderOutput{w, w.place.dir}
	} else {
		w.out = &bucketOutput{w, w.place}
	}
	return w, nil
}

// nonFinite counts what is not finite, and tells of a tensor that has it once.
func (w *work) nonFinite(t *checkpoint.Tensor, nans, infinities, first int) error {
	ctx := context.Background()
	if w.job.Strict {
		return fmt.Errorf("%s: element %d is not finite", t.Name(), first)
	}
	if _, told := w.odd.LoadOrStore(t, true); !told {
		log.Warnf(ctx, "%s: element %d is not finite, and perhaps others", t.Name(), first)
	}
	return nil
}

// input lists the files of the input.
func (j *Job) input(ctx context.Context) ([]File, error) {
	in, err := openPlace(ctx, j.In)
	if err != nil {
		return nil, err
	}
	out, err := openPlace(ctx, j.Out)
	if err != nil {
		return nil, err
	}
	files, err := in.list(ctx)
	if within := in.within(out); within != "" {
		files = slices.DeleteFunc(files, func(f File) bool { return len(f.Name) > len(within) && f.Name[:len(within)+1] == within+"/" })
	}
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: has no files", in.url)
	}
	return files, err
}

// do does a span of a shard's pieces, some at a time.
func (w *work) do(ctx context.Context, shard int, s span) (err error) {
	to, err := w.out.stage(ctx, shard, s)
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
				if err := w.piece(scratch, to, shard, p); err != nil {
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
func (w *work) piece(scratch *checkpoint.Scratch, to staging, shard, piece int) error {
	s := &w.plan.Shards[shard]
	var results []result
	if err := w.plan.Do(scratch, s, s.Pieces[piece], func(data []byte, off int64) error {
		results = append(results, result{data, off})
		return nil
	}); err != nil {
		return err
	}
	return to.write(piece, results)
}

// finish makes the checkpoint appear, if the input is still what it was.
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

package checkpoint

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lowbit-go/lowbit/safetensors"
)

// WriteOptions are how a plan is carried out.
type WriteOptions struct {
	Workers  int                              // goroutines; 0 is one
	Restart  bool                             // a folder: what an earlier run has left is not taken up
	Progress func(tensor string, bytes int64) // is told of each piece that is done, by several goroutines at a time; may be nil

	// Begin is told once, before the work begins, how many bytes of tensors are to be written: less than all if an earlier run has finished
	// shards. It may be nil.
	Begin func(bytes int64)

	// Start is told of the tensor of each piece that is begun, by several goroutines at a time. What a tensor's pieces have in common may take long to
	// find before the first of them is done. It may be nil.
	Start func(tensor string)

	// Watch, unless it is nil, is told of every element of the input, and of its value in the output, by several goroutines at a time. It
	// keeps nothing of a Passage. Its error ends the work.
	Watch func(Passage) error

	// Note, unless it is nil, gives what is to be kept beside a shard of a folder until the folder is whole: it is asked when Watch was told
	// of all of the shard. Noted is told of shards that an earlier run has finished, and of what it kept, nil if that was nothing.
	Note  func(s *Shard) []byte
	Noted func(s *Shard, note []byte)
}

// WriteFile carries a plan of one shard out. The file appears under its name only when it is whole.
func (p *Plan) WriteFile(ctx context.Context, path string, o WriteOptions) error {
	o.Note = nil
	if len(p.Shards) != 1 {
		return inFile(path, fmt.Errorf("is to be one file, but there are %d shards: want a folder", len(p.Shards)))
	}
	return p.run(ctx, []string{path}, o)
}

// output is a shard in the making.
type output struct {
	*Shard
	writer  *safetensors.Writer
	writing sync.Mutex // the file system takes one write to a file at a time
	left    atomic.Int64
	whole   atomic.Bool // it has appeared
	path    string
	note    func(s *Shard) []byte // may be nil
}

// run writes the shards to files of those names, "" for those that are there.
func (p *Plan) run(ctx context.Context, paths []string, o WriteOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type job struct {
		out  *output
		task Task
	}
	jobs := make(chan job)
	wanted, bytes := 0, int64(0)
	for i, path := range paths {
		if path != "" {
			wanted++
			bytes += p.Shards[i].Size - int64(len(p.Shards[i].Head))
		}
	}
	if o.Begin != nil {
		o.Begin(bytes)
	}
	var workers sync.WaitGroup
	var opened []*output
	defer func() {
		for _, out := range opened {
			out.writer.Close()
		}
	}()
	for range max(1, o.Workers) {
		workers.Go(func() {
			s := Scratch{watch: o.Watch, workers: o.Workers}
			for j := range jobs {
				if ctx.Err() != nil {
					continue
				}
				if o.Start != nil {
					o.Start(j.task.Tensor)
				}
				if err := p.do(&s, j.out, j.task, o.Progress); err != nil {
					cancel(err)
				}
			}
		})
	}
	send := func() error {
		for i := range p.Shards {
			if paths[i] == "" {
				continue
			}
			w, err := safetensors.CreateLaidOut(paths[i], p.Shards[i].Head, p.Shards[i].Tensors)
			if err != nil {
				return err
			}
			out := &output{Shard: &p.Shards[i], writer: w, path: paths[i], note: o.Note}
			opened = append(opened, out)
			out.left.Store(int64(len(out.Pieces)))
			if len(out.Pieces) == 0 {
				if err := out.commit(); err != nil {
					return err
				}
			}
			for _, task := range out.Pieces {
				select {
				case jobs <- job{out, task}:
				case <-ctx.Done():
					return nil
				}
			}
		}
		return nil
	}
	err := send()
	close(jobs)
	if err != nil {
		cancel(err)
	}
	workers.Wait()
	if err == nil && len(opened) == wanted && !slices.ContainsFunc(opened, func(out *output) bool { return !out.whole.Load() }) {
		return nil // whatever has happened since: the files are there
	}
	return context.Cause(ctx)
}

// commit makes the file appear, after its note.
func (o *output) commit() error {
	if o.note != nil {
		if err := writeText(o.path+noteSuffix, o.note(o.Shard)); err != nil {
			return err
		}
	}
	if err := o.writer.Commit(); err != nil {
		return err
	}
	o.whole.Store(true)
	return nil
}

// do does a piece. Who does the last one of a shard makes it appear.
func (p *Plan) do(s *Scratch, out *output, task Task, progress func(string, int64)) error {
	results, err := out.converters[task.converter].Do(s, task.Piece)
	if err != nil {
		return err
	}
	bytes := int64(0)
	out.writing.Lock()
	for i, r := range task.Runs {
		if err = out.writer.WriteTensor(out.Tensors[r.Output].Name, results[i], r.Offset); err != nil {
			break
		}
		bytes += r.Size
	}
	out.writing.Unlock()
	if err != nil {
		return err
	}
	if progress != nil {
		progress(task.Tensor, bytes)
	}
	if out.left.Add(-1) > 0 {
		return nil
	}
	return out.commit()
}

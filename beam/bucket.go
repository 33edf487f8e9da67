package beam

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gocloud.dev/blob"
)

// bucketOutput makes objects. What is staged of a span is an object with its pieces' results, one after the other.
type bucketOutput struct {
	*work
	*place
}

// Names under OUT.
const (
	stageFolder = ".lowbit-beam/"
	ownerName   = stageFolder + "owner" // says which job the files are of that have appeared before the last
)

func (o *bucketOutput) stageOf(target int) string {
	return stageFolder + o.digest + "/" + strconv.Itoa(target) + "/"
}

func (o *bucketOutput) begin(ctx context.Context) error {
	files, err := o.list(ctx)
	if err != nil {
		return err
	}
	owner, err := o.readAll(ctx, ownerName)
	if err != nil && !missing(err) {
		return err
	}
	if len(files) > 0 && string(owner) != o.digest {
		return fmt.Errorf("%s: is not empty and is not what this job makes: %s", o.url, files[0].Name)
	}
	if o.job.Restart {
		for _, f := range files {
			if err := o.bucket.Delete(ctx, f.Name); err != nil && !missing(err) {
				return err
			}
		}
		if err := o.drop(ctx); err != nil {
			return err
		}
	}
	return o.put(ctx, ownerName, strings.NewReader(o.digest))
}

// ready is an error if the stage is not this job's any more.
func (o *bucketOutput) ready(ctx context.Context) error {
	owner, err := o.readAll(ctx, ownerName)
	if err == nil && string(owner) != o.digest {
		err = errors.New("another job writes there")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.url, err)
	}
	return nil
}

func (o *bucketOutput) prepare(ctx context.Context, target int) ([]span, error) {
	if err := o.ready(ctx); err != nil {
		return nil, err
	}
	t := &o.targets[target]
	if f, err := o.attributes(ctx, t.name); err == nil && f.Size == t.size {
		return []span{{0, t.pieces}}, nil // it has been joined
	} else if err != nil && !missing(err) {
		return nil, err
	}
	return o.staged(ctx, target)
}

// staged lists what is staged of a target.
func (o *bucketOutput) staged(ctx context.Context, target int) (spans []span, err error) {
	err = listKeys(ctx, o.bucket, o.stageOf(target), func(key string) error {
		if s, ok := parseSpan(strings.TrimPrefix(key, o.stageOf(target))); ok {
			spans = append(spans, s)
		}
		return nil
	})
	return spans, err
}

// attributes tells of an object.
func (o *bucketOutput) attributes(ctx context.Context, name string) (File, error) {
	a, err := o.bucket.Attributes(ctx, name)
	if err != nil {
		return File{}, err
	}
	return File{Name: name, Size: a.Size, Time: a.ModTime}, nil
}

func (o *bucketOutput) stage(ctx context.Context, target int, s span) (staging, error) {
	return &bucketStaging{o, ctx, target, s, make([][]byte, s.End-s.First)}, nil
}

// bucketStaging gathers the results of pieces, to write them in order.
type bucketStaging struct {
	*bucketOutput
	ctx    context.Context
	target int
	span   span
	pieces [][]byte
}

func (s *bucketStaging) write(piece int, results []result) error {
	var data []byte
	for _, r := range results {
		data = append(data, r.data...)
	}
	s.pieces[piece-s.span.First] = data
	return nil
}

func (s *bucketStaging) commit() error {
	readers := make([]io.Reader, len(s.pieces))
	for i, p := range s.pieces {
		readers[i] = bytes.NewReader(p)
	}
	return s.put(s.ctx, s.stageOf(s.target)+s.span.String(), io.MultiReader(readers...))
}

func (s *bucketStaging) abort() {}

func (o *bucketOutput) put(ctx context.Context, name string, from io.Reader) error {
	return putObject(ctx, o.bucket, name, from)
}

// putObject writes an object, whole or not at all.
func putObject(ctx context.Context, b *blob.Bucket, name string, from io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.NewWriter(ctx, name, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, from); err != nil {
		cancel() // what is closed then does not appear
		w.Close()
		return err
	}
	return w.Close()
}

// join joins a target, unless it is the file by which the checkpoint appears.
func (o *bucketOutput) join(ctx context.Context, target int) error {
	if !o.indexed && target == len(o.targets)-1 {
		return nil
	}
	return o.joinTarget(ctx, target)
}

func (o *bucketOutput) joinTarget(ctx context.Context, target int) error {
	t := &o.targets[target]
	if f, err := o.attributes(ctx, t.name); err == nil && f.Size == t.size {
		return nil
	} else if err != nil && !missing(err) {
		return err
	}
	spans, err := o.staged(ctx, target)
	if err != nil {
		return err
	}
	if left := gaps(spans, t.pieces); len(left) > 0 {
		return fmt.Errorf("%s: pieces %d to %d are not staged", t.name, left[0].First, left[0].End-1)
	}
	type source struct {
		extent
		object string
		at     int64 // in the object
	}
	var sources []source
	next := 0
	for _, span := range spans { // which gaps has sorted
		at := int64(0)
		for piece := span.First; piece < span.End; piece++ {
			for _, r := range t.runs(piece) {
				if piece >= next {
					sources = append(sources, source{r, o.stageOf(target) + span.String(), at})
				}
				at += r.size
			}
		}
		next = max(next, span.End)
	}
	slices.SortFunc(sources, func(a, b source) int { return cmp.Compare(a.off, b.off) })
	pos := int64(len(t.head))
	readers := []io.Reader{bytes.NewReader(t.head)}
	for _, from := range sources {
		if from.off != pos {
			return fmt.Errorf("%s: the pieces leave out byte %d", t.name, pos)
		}
		readers = append(readers, &lateReader{o: o, ctx: ctx, key: from.object, at: from.at, left: from.size})
		pos += from.size
	}
	if pos != t.size {
		return fmt.Errorf("%s: the pieces end at byte %d of %d", t.name, pos, t.size)
	}
	return o.put(ctx, t.name, io.MultiReader(readers...))
}

// lateReader reads a range of an object that is opened when its turn has come, and again where it breaks off.
type lateReader struct {
	o        *bucketOutput
	ctx      context.Context
	key      string
	at, left int64
	body     io.ReadCloser
	failed   int
}

func (r *lateReader) Read(p []byte) (int, error) {
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.body == nil {
			body, err := r.o.bucket.NewRangeReader(r.ctx, r.key, r.at, r.left, nil)
			if err != nil {
				return 0, err
			}
			r.body = body
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.left)])
		r.at, r.left = r.at+int64(n), r.left-int64(n)
		if err != nil || r.left == 0 {
			r.body.Close()
			r.body = nil
		}
		switch {
		case n > 0:
			return n, nil
		case err != nil:
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			if r.failed++; r.failed == tries {
				return 0, fmt.Errorf("%s: %w", r.key, err)
			}
		}
	}
}

func (o *bucketOutput) copy(ctx context.Context, f File) error {
	in, err := o.in.Open(f.Name)
	if err != nil {
		return err
	}
	return o.put(ctx, f.Name, in)
}

func (o *bucketOutput) finish(ctx context.Context) error {
	for _, t := range o.texts {
		if err := o.put(ctx, t.name, bytes.NewReader(t.content)); err != nil {
			return err
		}
	}
	if o.indexed {
		return nil
	}
	return o.joinTarget(ctx, len(o.targets)-1)
}

func (o *bucketOutput) drop(ctx context.Context) error {
	return listKeys(ctx, o.bucket, stageFolder, func(key string) error {
		if err := o.bucket.Delete(ctx, key); err != nil && !missing(err) {
			return err
		}
		return nil
	})
}

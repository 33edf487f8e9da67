package beam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/lowbit-go/lowbit/checkpoint"
)

func init() {
	beam.RegisterDoFn(&listFactsFn{})
	beam.RegisterDoFn(&observePartFn{})
	beam.RegisterDoFn(&mergeFactFn{})
	beam.RegisterDoFn(&knownFn{})
}

// fact is what has to be known of a tensor before its pieces can be done: groups that no piece holds are observed in parts, which are merged.
type fact struct {
	checkpoint.Fact
	observe func(s *checkpoint.Scratch, part int) ([]byte, error)
	merge   func(parts [][]byte) ([]byte, error)
}

// factsFirst adds to a pipeline what makes facts known, and returns what comes when they are. Keys are facts by their numbers.
func factsFirst(s beam.Scope, j Job) beam.PCollection {
	tasks := beam.Reshuffle(s, beam.ParDo(s, &listFactsFn{j}, beam.Impulse(s)))
	parts := beam.GroupByKey(s, beam.ParDo(s, &observePartFn{j}, tasks))
	merged := beam.GroupByKey(s, beam.ParDo(s, &mergeFactFn{j}, parts))
	return beam.ParDo(s, &knownFn{}, merged)
}

// partTask is a part of a fact.
type partTask struct{ Fact, Part int }

// name is that of the note of a part, and factName that of a fact's.
func (p partTask) name() string { return fmt.Sprintf("%d-%d", p.Fact, p.Part) }

func factName(fact int) string { return strconv.Itoa(fact) }

// listFactsFn lists the parts of facts.
type listFactsFn struct{ Job Job }

// ProcessElement emits tasks.
func (f *listFactsFn) ProcessElement(ctx context.Context, _ []byte, emit func([]byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	for i := range w.facts {
		for part := range w.facts[i].Parts {
			emit(pack(partTask{i, part}))
		}
	}
	return nil
}

// observePartFn observes parts.
type observePartFn struct{ Job Job }

// ProcessElement notes what was seen in the stage, and emits its name: it may be megabytes.
func (f *observePartFn) ProcessElement(ctx context.Context, packed []byte, emit func(string, []byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	t, err := unpack[partTask](packed)
	if err != nil {
		return err
	}
	err = w.note(ctx, t.name(), func() ([]byte, error) {
		scratch := scratches.Get().(*checkpoint.Scratch)
		defer scratches.Put(scratch)
		return w.facts[t.Fact].observe(scratch, t.Part)
	})
	if err = w.tooLate(ctx, err); err != nil {
		return err
	}
	emit(factName(t.Fact), packed)
	return nil
}

// mergeFactFn merges the parts of a fact.
type mergeFactFn struct{ Job Job }

// ProcessElement notes the fact in the stage.
func (f *mergeFactFn) ProcessElement(ctx context.Context, key string, _ func(*[]byte) bool, emit func(string, []byte)) error {
	w, err := newWork(ctx, f.Job)
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(key)
	if err != nil {
		return err
	}
	err = w.note(ctx, factName(i), func() ([]byte, error) {
		var parts [][]byte
		for part := range w.facts[i].Parts {
			data, err := w.out.noted(ctx, partTask{i, part}.name())
			if err != nil {
				return nil, err
			}
			parts = append(parts, data)
		}
		return w.facts[i].merge(parts)
	})
	if err = w.tooLate(ctx, err); err != nil {
		return err
	}
	emit("", []byte(key))
	return nil
}

// knownFn says that all facts are known.
type knownFn struct{}

// ProcessElement emits one element.
func (*knownFn) ProcessElement(_ string, _ func(*[]byte) bool, emit func([]byte)) { emit([]byte{}) }

// note notes something in the stage, unless it is noted already.
func (w *work) note(ctx context.Context, name string, make func() ([]byte, error)) error {
	if _, err := w.out.noted(ctx, name); err == nil || !missing(err) {
		return err
	}
	data, err := make()
	if err != nil {
		return err
	}
	return w.out.note(ctx, name, data)
}

// known returns a fact, nil if it is not noted.
func (w *work) known(f checkpoint.Fact) ([]byte, error) {
	i, ok := w.numbers[f.String()]
	if !ok {
		return nil, nil
	}
	data, err := w.out.noted(context.Background(), factName(i))
	if missing(err) {
		return nil, nil
	}
	return data, err
}

// notes is the folder of notes in a stage.
const notes = "notes"

func (o *folderOutput) note(_ context.Context, name string, data []byte) error {
	p := &place{dir: filepath.Join(o.root(), notes)}
	if err := os.Mkdir(p.dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return p.put(context.Background(), name, data)
}

func (o *folderOutput) noted(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(o.root(), notes, name))
}

func (o *bucketOutput) note(ctx context.Context, name string, data []byte) error {
	return o.put(ctx, stageFolder+o.digest+"/"+notes+"/"+name, bytes.NewReader(data))
}

func (o *bucketOutput) noted(ctx context.Context, name string) ([]byte, error) {
	return o.readAll(ctx, stageFolder+o.digest+"/"+notes+"/"+name)
}

package gguf

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// Importance is an importance matrix: for each column of a tensor, and of each expert's part of it, a weight, which is the mean square of what
// the column is multiplied by.
type Importance struct {
	File     string   // as the caller named it
	Datasets []string // what it was made from
	Chunks   int      // pieces of text that were counted, 0 if that is not said
	entries  map[string][]float32
}

// The names of the tensors of an importance matrix in a GGUF file.
const (
	sumsSuffix   = ".in_sum2"
	countsSuffix = ".counts"
)

// OpenImportance reads an importance matrix of either form of llama.cpp: a GGUF file, with sums of squares NAME.in_sum2 and their counts
// NAME.counts, or the older one without a name for its format, usually called .dat. Which it is, its first bytes say. A column that was never
// counted has the weight 1, or in the older form its sum.
func OpenImportance(path string) (*Importance, error) {
	file, size, err := tensorfile.Open(path)
	if err != nil {
		return nil, inFile(path, err)
	}
	defer file.Close()
	m, err := readImportance(file, size, path)
	if err != nil {
		return nil, inFile(path, err)
	}
	return m, nil
}

// NewImportance makes an importance matrix of weights by the names of their tensors: finite ones, not negative. The file is what errors name.
func NewImportance(file string, weights map[string][]float32) (*Importance, error) {
	m := &Importance{File: file, entries: map[string][]float32{}}
	for name, values := range weights {
		if err := m.add(name, values); err != nil {
			return nil, inFile(file, err)
		}
	}
	return m, nil
}

func readImportance(r io.ReaderAt, size int64, name string) (*Importance, error) {
	m := &Importance{File: name, entries: map[string][]float32{}}
	var start [len(magic)]byte
	if n, _ := r.ReadAt(start[:], 0); string(start[:n]) == magic {
		f, err := NewFile(r, size, name)
		if err != nil {
			return nil, err
		}
		return m, m.fromFile(f)
	}
	s := &scanner{r: r, size: size}
	if err := m.fromOlder(s); err != nil {
		return nil, fmt.Errorf("importance matrix: %w", err)
	}
	return m, nil
}

func (m *Importance) fromFile(f *File) error {
	if kind, ok := f.Value("general.type").(string); ok && kind != "imatrix" {
		return fmt.Errorf("is of the type %s, not an importance matrix", tensorfile.Quote(kind))
	}
	m.Datasets, _ = f.Value("imatrix.datasets").([]string)
	m.Chunks = integer(f.Value("imatrix.chunk_count"))
	for _, info := range f.Tensors() {
		name, ok := strings.CutSuffix(info.Name, sumsSuffix)
		if !ok {
			if name, ok := strings.CutSuffix(info.Name, countsSuffix); ok {
				if _, ok := f.Lookup(name + sumsSuffix); !ok {
					return errorf(info.Name, "there is no tensor %s", tensorfile.Quote(name+sumsSuffix))
				}
			}
			continue
		}
		counted, ok := f.Lookup(name + countsSuffix)
		if !ok {
			return errorf(info.Name, "there is no tensor %s", tensorfile.Quote(name+countsSuffix))
		}
		n := counted.Elements()
		if info.Type != F32 || counted.Type != F32 || n == 0 || info.Elements() == 0 || info.Elements()%n != 0 {
			return errorf(info.Name, "%v of shape %v with counts %v of shape %v, want F32 and one count for each row", info.Type, info.Shape, counted.Type, counted.Shape)
		}
		sums, counts := make([]float32, info.Elements()), make([]float32, n)
		if err := f.Rows(sums, info.Name, 0); err != nil {
			return err
		}
		if err := f.Rows(counts, counted.Name, 0); err != nil {
			return err
		}
		row := len(sums) / n
		for i, count := range counts {
			for k := i * row; k < (i+1)*row; k++ {
				if count > 0 {
					sums[k] /= count
				} else {
					sums[k] = 1
				}
			}
		}
		if err := m.add(name, sums); err != nil {
			return err
		}
	}
	if len(m.entries) == 0 {
		return errors.New("no importance matrix: no tensor is called NAME" + sumsSuffix)
	}
	return nil
}

// fromOlder reads entries of a name, the number of calls, and sums; then the number of chunks and the dataset, which may be missing.
func (m *Importance) fromOlder(s *scanner) error {
	entries, err := s.int32()
	if err != nil {
		return err
	}
	const least = 4 + 1 + 4 + 4 + 4
	if entries < 1 || int64(entries) > s.left()/least {
		return s.failf("%d entries in the %d bytes that are left", entries, s.left())
	}
	for range entries {
		name, err := s.sized("a name")
		if err != nil {
			return err
		}
		if name == "" {
			return s.failf("an entry has no name")
		}
		calls, err := s.int32()
		if err != nil {
			return fmt.Errorf("%s: %w", tensorfile.Quote(name), err)
		}
		n, err := s.int32()
		if err != nil {
			return fmt.Errorf("%s: %w", tensorfile.Quote(name), err)
		}
		if n < 1 || int64(n) > s.left()/4 {
			return fmt.Errorf("%s: %w", tensorfile.Quote(name), s.failf("%d values in the %d bytes that are left", n, s.left()))
		}
		values := make([]float32, 0, min(n, 1<<16))
		for range n {
			v, err := s.float32()
			if err != nil {
				return fmt.Errorf("%s: %w", tensorfile.Quote(name), err)
			}
			if calls > 0 {
				v /= float32(calls)
			}
			values = append(values, v)
		}
		if err := m.add(name, values); err != nil {
			return err
		}
	}
	if s.left() == 0 {
		return nil
	}
	chunks, err := s.int32()
	if err != nil {
		return err
	}
	m.Chunks = int(max(chunks, 0))
	if s.left() == 0 {
		return nil
	}
	dataset, err := s.sized("a dataset's name")
	if err != nil {
		return err
	}
	if dataset != "" {
		m.Datasets = []string{dataset}
	}
	if s.left() > 0 {
		return s.failf("%d bytes behind the end", s.left())
	}
	return nil
}

// sized reads a text behind its length.
func (s *scanner) sized(what string) (string, error) {
	n, err := s.int32()
	if err != nil {
		return "", err
	}
	if n < 0 || int64(n) > min(s.left(), int64(len(s.buf))) {
		return "", s.failf("%s of %d bytes, where %d are left", what, n, s.left())
	}
	b, err := s.take(int(n))
	return string(b), err
}

// add takes an entry.
func (m *Importance) add(name string, values []float32) error {
	if _, twice := m.entries[name]; twice {
		return fmt.Errorf("%s: two entries", tensorfile.Quote(name))
	}
	for i, v := range values {
		if !(v >= 0 && v <= math.MaxFloat32) {
			return fmt.Errorf("%s: weight %d is %v, want a finite number that is not negative", tensorfile.Quote(name), i, v)
		}
	}
	m.entries[name] = values
	return nil
}

// Names lists the tensors that have an entry, sorted.
func (m *Importance) Names() []string {
	names := make([]string, 0, len(m.entries))
	for name := range m.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Weights returns the weights of a tensor: Row of them for each of its matrices, those of experts one behind the other. They are nil if there is
// no entry; an entry of another length is an error. They are not to be changed.
func (m *Importance) Weights(t Info) ([]float32, error) {
	if m == nil {
		return nil, nil
	}
	values, ok := m.entries[t.Name]
	if !ok {
		return nil, nil
	}
	if want := t.Row() * matrices(t); len(values) != want {
		return nil, &Error{File: m.File, Tensor: t.Name, Err: fmt.Errorf("%d weights, want %d for the shape %v", len(values), want, t.Shape)}
	}
	return values, nil
}

// matrices is the number of matrices of a tensor: one for each expert.
func matrices(t Info) int {
	n := 1
	for axis := range len(t.Shape) - 2 {
		n *= t.Shape[axis]
	}
	return n
}

package main

import (
	"encoding/json"
	"math"
	"slices"
	"sync"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/gguf"
)

// watch measures what a quantization does to a model while it does it, so that nothing is read again for a report. A nil watch does nothing.
type watch struct {
	model      *model
	workspaces pool[watchWorkspace]

	mu    sync.Mutex
	under map[string]*measurement // way
	done  map[string]*difference
}

type watchWorkspace struct {
	floats []float32
	measureWorkspace
}

// newWatch begins the watch that a report asks for.
func newWatch(report fileFlag, m *model) *watch {
	if report == "" {
		return nil
	}
	return &watch{model: m, under: map[string]*measurement{}, done: map[string]*difference{}}
}

// of finds the measurement of a tensor.
func (w *watch) of(name string, elements int) *measurement {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.under[name]
	if m == nil {
		m = newMeasurement(elements, true)
		w.under[name] = m
	}
	return m
}

// add takes elements of a tensor in.
func (w *watch) add(ws *watchWorkspace, name string, first, n int, sides [2]elements) {
	x, ok := w.model.find(name)
	if !ok || n == 0 {
		return
	}
	if !sides[0].numeric() && sides[0].dtype == sides[1].dtype { // copied, and nothing more to find out
		w.mu.Lock()
		defer w.mu.Unlock()
		w.done[name] = &difference{}
		return
	}
	m := w.of(name, x.shape.Elements())
	m.add(&ws.measureWorkspace, first, n, sides)
	if m.whole() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.under, name)
		w.done[name] = m.difference()
	}
}

// safetensors takes in what a plan has done.
func (w *watch) safetensors(p checkpoint.Passage) error {
	x, ok := w.model.find(p.Tensor)
	if !ok {
		return nil
	}
	ws := w.workspaces.get()
	defer w.workspaces.put(ws)
	sides := [2]elements{{dtype: x.plain, bytes: p.Stored}, {floats: p.Values}}
	if p.Values == nil {
		sides[1] = sides[0]
	}
	w.add(ws, p.Tensor, p.First, len(p.Stored)*8/x.plain.Bits(), sides)
	return nil
}

// gguf takes in what a conversion has done.
func (w *watch) gguf(p gguf.Passage) error {
	plain := ggufTypes[p.Type]
	if plain == 0 {
		return nil // quantized, and copied
	}
	ws := w.workspaces.get()
	defer w.workspaces.put(ws)
	n := len(p.Stored) * 8 / plain.Bits()
	sides := [2]elements{{dtype: plain, bytes: p.Stored}, {dtype: ggufTypes[p.To], bytes: p.Blocks}}
	if sides[1].dtype == 0 {
		ws.floats = slices.Grow(ws.floats[:0], n)[:n]
		gguf.Dequantize(ws.floats, p.Blocks, gguf.Blocks{Type: p.To})
		sides[1] = elements{floats: ws.floats}
	}
	w.add(ws, p.Name, int(p.Offset)*8/plain.Bits(), n, sides)
	return nil
}

// note is what a later run is to know of a shard.
func (w *watch) note(s *checkpoint.Shard) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string][]uint64{}
	for _, name := range s.Inputs() {
		if d := w.done[name]; d != nil {
			all[name] = d.words()
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // they are names and numbers
	}
	return text
}

// noted takes in the note of a shard that an earlier run has finished. What it does not have is read again for the report.
func (w *watch) noted(s *checkpoint.Shard, note []byte) {
	var all map[string][]uint64
	if json.Unmarshal(note, &all) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range s.Inputs() {
		if d := differenceOf(all[name]); d != nil {
			w.done[name] = d
		}
	}
}

// report writes the report of what became of the model.
func (w *watch) report(t *tool, out string, to fileFlag) error {
	if w == nil {
		return nil
	}
	b, err := openModel(out)
	if err != nil {
		return err
	}
	defer b.close()
	_, _, err = t.compare(w.model, b, w.done, to, comparisons{add: func(*comparison) error { return nil }})
	return err
}

// fixedWords is how many words a difference has, but for those of the errors.
const fixedWords = 11

// words are all that a difference is.
func (d *difference) words() []uint64 {
	all := []uint64{uint64(d.bits), math.Float64bits(d.worst), uint64(d.odd[0].nan), uint64(d.odd[0].inf), uint64(d.odd[1].nan), uint64(d.odd[1].inf), uint64(d.apart),
		math.Float64bits(d.noise), math.Float64bits(d.squares[0]), math.Float64bits(d.squares[1]), math.Float64bits(d.product)}
	if d.errors != nil {
		all = append(all, uint64(d.errors.exponent))
		for _, n := range d.errors.counts {
			all = append(all, uint64(n))
		}
	}
	return all
}

// differenceOf is the inverse; it is nil if there are not as many words.
func differenceOf(words []uint64) *difference {
	if len(words) != fixedWords && len(words) != fixedWords+1+errorBins {
		return nil
	}
	float := math.Float64frombits
	d := &difference{bits: int(words[0]), worst: float(words[1]), apart: int(words[6]),
		sums: sums{noise: float(words[7]), squares: [2]float64{float(words[8]), float(words[9])}, product: float(words[10])}}
	d.odd[0].nan, d.odd[0].inf, d.odd[1].nan, d.odd[1].inf = int(words[2]), int(words[3]), int(words[4]), int(words[5])
	if words = words[fixedWords:]; len(words) > 0 {
		d.errors = &errorCounts{exponent: int(words[0])}
		for i, n := range words[1:] {
			d.errors.counts[i] = int(n)
		}
	}
	return d
}

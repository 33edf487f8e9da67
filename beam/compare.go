package beam

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

func init() {
	beam.RegisterDoFn(&listPairsFn{})
	beam.RegisterDoFn(&measureFn{})
	beam.RegisterDoFn(&mergeFn{})
	beam.RegisterDoFn(&reportFn{})
}

// compare adds the comparison of two checkpoints to a pipeline. Keys are tensors by their numbers.
func compare(s beam.Scope, j Job) {
	tasks := beam.Reshuffle(s, beam.ParDo(s, &listPairsFn{j}, beam.Impulse(s)))
	parts := beam.GroupByKey(s, beam.ParDo(s, &measureFn{j}, tasks))
	all := beam.GroupByKey(s, beam.ParDo(s, &mergeFn{j}, parts))
	beam.ParDo0(s, &reportFn{j}, all)
}

// pair is two checkpoints, and the names of the tensors of either.
type pair struct {
	of    [2]*checkpoint.Checkpoint
	names []string
}

func (j *Job) pair(ctx context.Context) (*pair, error) {
	return keep(*j, func() (*pair, error) {
		p := &pair{}
		for i, files := range [][]File{j.Input, j.Second} {
			at, err := openPlace(ctx, []string{j.In, j.Against}[i])
			if err != nil {
				return nil, err
			}
			c, err := checkpoint.OpenFS(newSnapshot(context.WithoutCancel(ctx), at, files))
			if err == nil {
				err = c.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", at.url, err)
			}
			p.of[i] = c
			for _, t := range c.Tensors() {
				if i == 0 {
					p.names = append(p.names, t.Name())
				} else if _, ok := p.of[0].Lookup(t.Name()); !ok {
					p.names = append(p.names, t.Name())
				}
			}
		}
		return p, nil
	})
}

// find returns the tensors of a name, nil where there is none.
func (p *pair) find(tensor int) (a, b *checkpoint.Tensor) {
	a, _ = p.of[0].Lookup(p.names[tensor])
	b, _ = p.of[1].Lookup(p.names[tensor])
	return a, b
}

// rowsTask is rows of a tensor that are compared. What has no rows of numbers is compared at once.
type rowsTask struct{ Tensor, First, Rows int }

// floats tells whether a tensor's values can be read as float32.
func floats(t *checkpoint.Tensor) bool { return t.Quantized() || checkpoint.Quantizable(t.DType()) }

// alike tells whether two tensors can be compared element by element.
func alike(a, b *checkpoint.Tensor) bool {
	return a != nil && b != nil && slices.Equal(a.Shape(), b.Shape()) && (floats(a) && floats(b) || !floats(a) && !floats(b) && a.DType() == b.DType())
}

// listPairsFn lists what is to be compared.
type listPairsFn struct{ Job Job }

// ProcessElement emits tasks.
func (f *listPairsFn) ProcessElement(ctx context.Context, _ []byte, emit func([]byte)) error {
	p, err := f.Job.pair(ctx)
	if err != nil {
		return err
	}
	if len(p.names) == 0 {
		return errors.New("neither checkpoint has a tensor")
	}
	for i := range p.names {
		a, b := p.find(i)
		if !alike(a, b) || !floats(a) || a.Elements() == 0 {
			emit(pack(rowsTask{Tensor: i}))
			continue
		}
		most := max(1, int(f.Job.Piece)*f.Job.Span/4/a.RowLen())
		for first := 0; first < a.Rows(); first += most {
			emit(pack(rowsTask{i, first, min(most, a.Rows()-first)}))
		}
	}
	return nil
}

// difference is what is found out about elements. Those of which one is not finite are counted, and left out of the sums.
type difference struct {
	Bits              int     // whose bits differ
	Worst             float64 // largest absolute difference
	Noise, A, B       exactSum
	Product, Negative exactSum // of products that are positive, and of the others
	NaN, Inf          [2]int
	Apart             int // one is not finite, and the other is something else
}

// merge adds that of other elements.
func (d *difference) merge(e *difference) {
	d.Bits += e.Bits
	d.Worst = max(d.Worst, e.Worst)
	d.Apart += e.Apart
	for _, s := range [][2]*exactSum{{&d.Noise, &e.Noise}, {&d.A, &e.A}, {&d.B, &e.B}, {&d.Product, &e.Product}, {&d.Negative, &e.Negative}} {
		s[0].merge(s[1])
	}
	for i := range 2 {
		d.NaN[i] += e.NaN[i]
		d.Inf[i] += e.Inf[i]
	}
}

// pairOf takes in a pair of elements.
func (d *difference) pairOf(v, w float64) {
	e := v - w
	if e-e == 0 {
		d.Worst = max(d.Worst, math.Abs(e))
		if e != 0 {
			d.Noise.add(e * e)
		}
		d.A.add(v * v)
		d.B.add(w * w)
		if p := v * w; p < 0 {
			d.Negative.add(-p)
		} else {
			d.Product.add(p)
		}
		return
	}
	for i, x := range []float64{v, w} {
		switch {
		case math.IsNaN(x):
			d.NaN[i]++
		case math.IsInf(x, 0):
			d.Inf[i]++
		}
	}
	if v != w && (v == v || w == w) {
		d.Apart++
	}
}

// measureFn compares rows.
type measureFn struct{ Job Job }

// ProcessElement emits a difference.
func (f *measureFn) ProcessElement(ctx context.Context, packed []byte, emit func(string, []byte)) error {
	p, err := f.Job.pair(ctx)
	if err != nil {
		return err
	}
	task, err := unpack[rowsTask](packed)
	if err != nil {
		return err
	}
	a, b := p.find(task.Tensor)
	var d difference
	switch {
	case !alike(a, b):
	case floats(a):
		err = d.rows(a, b, task.First, task.Rows, int(f.Job.Piece)/4)
	default:
		err = d.raw(a.Parts()[0], b.Parts()[0], f.Job.Piece)
	}
	if err != nil {
		return err
	}
	piecesDone.Inc(ctx, 1)
	emit(strconv.Itoa(task.Tensor), pack(&d))
	return nil
}

// rows compares rows of floating-point numbers, of some most elements at a time.
func (d *difference) rows(a, b *checkpoint.Tensor, first, rows, most int) error {
	cols := a.RowLen()
	n := max(1, min(rows, most/max(1, cols)))
	v, w, narrow := make([]float32, n*cols), make([]float32, n*cols), make([]float32, n*cols)
	for ; rows > 0; first, rows = first+n, rows-n {
		n = min(n, rows)
		v, w := v[:n*cols], w[:n*cols]
		if err := checkpoint.ReadRows(a, v, first); err != nil {
			return err
		}
		if err := checkpoint.ReadRows(b, w, first); err != nil {
			return err
		}
		// Bits can be told of one type: that of the side that is not quantized, to which the other is rounded first.
		x, y := v, w
		switch {
		case a.Quantized() && !b.Quantized():
			x = round(narrow[:len(v)], v, b.DType())
		case b.Quantized() && !a.Quantized():
			y = round(narrow[:len(w)], w, a.DType())
		}
		for i := range v {
			if r, s := x[i], y[i]; math.Float32bits(r) != math.Float32bits(s) && (r == r || s == s || !a.Quantized() && !b.Quantized()) {
				d.Bits++
			}
			d.pairOf(float64(x[i]), float64(y[i]))
		}
	}
	return nil
}

// round rounds to a type, into dst.
func round(dst, x []float32, t safetensors.DType) []float32 {
	switch t {
	case safetensors.F16:
		half := make([]float16.Float16, len(x))
		kernels.EncodeFloat16(half, x)
		kernels.DecodeFloat16(dst, half)
	case safetensors.BF16:
		half := make([]bf16.BFloat16, len(x))
		kernels.EncodeBFloat16(half, x)
		kernels.DecodeBFloat16(dst, half)
	default:
		copy(dst, x)
	}
	return dst
}

// raw counts the elements whose bits differ, some bytes at a time.
func (d *difference) raw(a, b checkpoint.Part, most int64) error {
	most = most / 24 * 24 // whole elements of any type
	x, y := make([]byte, min(most, a.Size)), make([]byte, min(most, a.Size))
	width := a.DType.Bits()
	for off := int64(0); off < a.Size; off += most {
		n := min(most, a.Size-off)
		if err := a.File.ReadTensor(a.Name, x[:n], off); err != nil {
			return err
		}
		if err := b.File.ReadTensor(b.Name, y[:n], off); err != nil {
			return err
		}
		if bytes.Equal(x[:n], y[:n]) {
			continue
		}
		last := -1
		for bit := range int(n) * 8 {
			if e := bit / width; e != last && (x[bit/8]^y[bit/8])>>(bit%8)&1 != 0 {
				d.Bits, last = d.Bits+1, e
			}
		}
	}
	return nil
}

// comparison is what is said of a tensor, under the names of lowbit compare --json.
type comparison struct {
	Name   string   `json:"name"`
	A      *operand `json:"a"` // null if it is not there
	B      *operand `json:"b"`
	Equal  bool     `json:"equal"`
	Differ *int     `json:"differ,omitempty"`
	Worst  *float64 `json:"max_abs_error"`
	SQNR   *float64 `json:"sqnr_db"` // null without noise too
	Cosine *float64 `json:"cosine"`
	Apart  int      `json:"non_finite_mismatch"`
}

// operand is a side of a comparison.
type operand struct {
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	NaN   int    `json:"nan"`
	Inf   int    `json:"inf"`
}

func operandOf(t *checkpoint.Tensor, nan, inf int) *operand {
	if t == nil {
		return nil
	}
	o := &operand{t.DType().String(), append([]int{}, t.Shape()...), nan, inf}
	if t.Quantized() {
		o.DType = t.Scheme().Format
	}
	return o
}

// mergeFn merges what was found out about a tensor.
type mergeFn struct{ Job Job }

// ProcessElement emits a comparison.
func (f *mergeFn) ProcessElement(ctx context.Context, key string, parts func(*[]byte) bool, emit func(string, []byte)) error {
	p, err := f.Job.pair(ctx)
	if err != nil {
		return err
	}
	tensor, err := strconv.Atoi(key)
	if err != nil {
		return err
	}
	var d difference
	var packed []byte
	for parts(&packed) {
		e, err := unpack[difference](packed)
		if err != nil {
			return err
		}
		d.merge(&e)
	}
	a, b := p.find(tensor)
	c := comparison{Name: p.names[tensor], A: operandOf(a, d.NaN[0], d.Inf[0]), B: operandOf(b, d.NaN[1], d.Inf[1]), Apart: d.Apart}
	if alike(a, b) {
		if a.Quantized() || b.Quantized() || a.DType() == b.DType() {
			c.Differ, c.Equal = &d.Bits, d.Bits == 0
		}
		if floats(a) {
			c.numbers(&d)
		}
	}
	tensorsDone.Inc(ctx, 1)
	emit("", pack(c))
	return nil
}

// numbers sets what follows from the sums.
func (c *comparison) numbers(d *difference) {
	noise, a, b := d.Noise.value(), d.A.value(), d.B.value()
	c.Worst = &d.Worst
	if noise > 0 {
		c.SQNR = ratio(10 * math.Log10(a/noise))
	}
	c.Cosine = ratio((d.Product.value() - d.Negative.value()) / math.Sqrt(a) / math.Sqrt(b))
	if a > 0 && noise == 0 {
		c.Cosine = ratio(1)
	}
}

// ratio is nil if it is no number.
func ratio(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// reportFn writes the report.
type reportFn struct{ Job Job }

// ProcessElement writes JSON, a line for each tensor, in their order.
func (f *reportFn) ProcessElement(ctx context.Context, _ string, packed func(*[]byte) bool) error {
	p, err := f.Job.pair(ctx)
	if err != nil {
		return err
	}
	lines := map[string][]byte{}
	differ := 0
	var line []byte
	for packed(&line) {
		c, err := unpack[comparison](line)
		if err != nil {
			return err
		}
		if !c.Equal {
			differ++
		}
		lines[c.Name] = bytes.Clone(line)
	}
	var out bytes.Buffer
	out.WriteString(`{"tensors": [` + "\n")
	for i, name := range p.names {
		if i > 0 {
			out.WriteString(",\n")
		}
		if lines[name] == nil {
			return fmt.Errorf("tensor %q was not compared", name)
		}
		out.Write(lines[name])
	}
	summary, err := json.Marshal(map[string]any{"tensors": len(p.names), "differ": differ, "equal": differ == 0})
	if err != nil {
		return err
	}
	fmt.Fprintf(&out, "\n], \"summary\": %s}\n", summary)
	at, name, err := openFile(ctx, f.Job.Out)
	if err != nil {
		return err
	}
	return at.put(ctx, name, out.Bytes())
}

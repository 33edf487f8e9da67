package checkpoint

import (
	"fmt"
	"iter"
	"math"
	"strings"
	"sync"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// ctWriter quantizes a weight as compressed-tensors does on a CPU: every operation is rounded to T, the weight's own type.
//
//	integers     s = max(-min, max) / H, H half of the number of codes less 1; 0 becomes eps
//	             q = round(clamp(x / s))
//	asymmetric   s = (max - min) / 15    z = round(clamp(-8 - min/s))    q = round(clamp(x/s + z))
//	fp8          s = max(-min, max) / 448    q = e4m3(clamp(x / s))
//	nvfp4        G = 1/absmax * 2688    s = e4m3(G * (m / 6)), 0 becomes 1/8    q = e2m1(clamp(x / (s/G))), the last two in float32
//	mxfp4        s = 2^(floor(log2(m')) - 2), m' the largest magnitude of the block rounded to one bit of mantissa    q = e2m1(clamp(x / s))
//
// A NaN or an infinity is an error.
type ctWriter[T kernels.Float] struct {
	t                    *Tensor
	preset               ctPreset
	module               string
	rows, cols           int
	blockRows, blockCols int
	groupCols            int

	known func(f Fact) ([]byte, error) // finds the largest magnitude, or is nil

	globals shared[largest, float32]
}

// largest is the largest magnitude so far.
type largest struct {
	mu    sync.Mutex
	value float32
}

func (l *largest) add(value float32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.value = max(l.value, value)
}

// newCTWriter returns a converter for a matrix whose rows the group size divides.
func newCTWriter(t *Tensor, preset ctPreset) (Converter, error) {
	switch t.dtype {
	case safetensors.F32:
		return makeCTWriter[float32](t, preset), nil
	case safetensors.F16:
		return makeCTWriter[float16.Float16](t, preset), nil
	case safetensors.BF16:
		return makeCTWriter[bf16.BFloat16](t, preset), nil
	}
	return nil, t.refuse("is %v, want F32, F16 or BF16", t.dtype)
}

func makeCTWriter[T kernels.Float](t *Tensor, preset ctPreset) *ctWriter[T] {
	w := &ctWriter[T]{t: t, preset: preset, module: strings.TrimSuffix(t.Name(), ".weight"), rows: t.Shape()[0], cols: t.Shape()[1], blockRows: 1}
	switch a := preset.weights; a.strategy {
	case "channel":
		w.blockCols = w.cols
	case "block":
		w.blockRows, w.blockCols = a.block[0], a.block[1]
	default:
		w.blockCols = a.group
	}
	w.groupCols = (w.cols + w.blockCols - 1) / w.blockCols
	return w
}

// Names of what is stored.
func (w *ctWriter[T]) name(suffix string) string { return w.module + "." + suffix }

// Outputs returns codes, scales, and what else the format has.
func (w *ctWriter[T]) Outputs() []safetensors.Info {
	info := func(suffix string, dtype safetensors.DType, shape ...int) safetensors.Info {
		return safetensors.Info{Name: w.name(suffix), DType: dtype, Shape: safetensors.ShapeOf(shape...)}
	}
	scales := []int{(w.rows + w.blockRows - 1) / w.blockRows, w.groupCols}
	switch w.preset.format {
	case ctInt:
		return []safetensors.Info{info("weight", safetensors.I8, w.rows, w.cols), info("weight_scale", w.t.dtype, scales...)}
	case ctFloat:
		return []safetensors.Info{info("weight", safetensors.F8_E4M3, w.rows, w.cols), info("weight_scale", w.t.dtype, scales...)}
	case ctNVFP4:
		return []safetensors.Info{info("weight_packed", safetensors.U8, w.rows, w.cols/2), info("weight_scale", safetensors.F8_E4M3, scales...), info("weight_global_scale", safetensors.F32, 1)}
	case ctMXFP4:
		return []safetensors.Info{info("weight_packed", safetensors.U8, w.rows, w.cols/2), info("weight_scale", safetensors.U8, scales...)}
	}
	all := []safetensors.Info{info("weight_packed", safetensors.I32, w.rows, w.cols/8), info("weight_scale", w.t.dtype, scales...), info("weight_shape", safetensors.I64, 2)}
	if !w.preset.weights.symmetric {
		all = append(all, info("weight_zero_point", safetensors.I32, (w.rows+7)/8, w.groupCols))
	}
	return all
}

// unit is the number of rows whose results are whole bytes.
func (w *ctWriter[T]) unit() int {
	if w.preset.format == ctPack && !w.preset.weights.symmetric {
		return 8
	}
	return w.blockRows
}

// Pieces yields runs of rows.
func (w *ctWriter[T]) Pieces(most int64) iter.Seq[Piece] {
	outputs := w.Outputs()
	return rowPieces(w.t.Name(), w.rows, w.unit(), int64(w.cols)*int64(w.t.dtype.Bits()/8), most, func(first, n int) (runs []Run) {
		for i, o := range outputs {
			d := o.Shape.Dims()
			if len(d) == 1 { // one for the whole tensor
				if first == 0 {
					runs = append(runs, Run{i, 0, int64(d[0]) * int64(o.DType.Bits()/8)})
				}
				continue
			}
			row := int64(d[1]) * int64(o.DType.Bits()/8)
			per := w.blockRows // rows of the weight to a row of the output
			if i == 0 {
				per = 1
			} else if o.DType == safetensors.I32 {
				per = 8
			}
			from, to := first/per, (first+n+per-1)/per
			runs = append(runs, Run{i, int64(from) * row, int64(to-from) * row})
		}
		return runs
	})
}

// Do quantizes some rows.
func (w *ctWriter[T]) Do(s *Scratch, p Piece) ([][]byte, error) {
	var global float32
	if w.preset.format == ctNVFP4 {
		var err error
		if global, err = w.globals.of(0, w.global(s)); err != nil {
			return nil, err
		}
		defer w.globals.done(0, p.Rows, w.rows)
	}
	n := p.Rows * w.cols
	x := lend[T](&s.rows, n)
	if err := ReadRows(w.t, x, p.First); err != nil {
		return nil, err
	}
	groupRows := (p.Rows + w.blockRows - 1) / w.blockRows
	groups := groupRows * w.groupCols
	low, high := lend[float32](&s.low, groups), lend[float32](&s.high, groups)
	w.ranges(s, low, high, x, p.Rows)
	for i := range low {
		if !finite(low[i]) || !finite(high[i]) {
			return nil, w.t.refuse("has a NaN or an infinity, which compressed-tensors does not allow")
		}
	}
	s.results = append(s.results[:0], nil) // the codes, which take the scales
	scale := lend[float32](&s.params, groups)
	switch w.preset.format {
	case ctNVFP4:
		w.scaleNVFP4(s, scale, low, high, global, p.First == 0)
		s.results[0] = w.fp4(s, x, scale)
	case ctMXFP4:
		w.scaleMXFP4(s, scale, low, high)
		s.results[0] = w.fp4(s, x, scale)
	case ctFloat:
		if err := w.scale(s, scale, nil, low, high, p); err != nil {
			return nil, err
		}
		s.results[0] = w.codes(s, x, scale, nil, func(dst []uint8, y []float32) {
			kernels.EncodeE4M3FNSat(as[fp8.E4M3FN](dst), y)
		})
	default:
		var zero []float32
		if !w.preset.weights.symmetric {
			zero = lend[float32](&s.zero, groups)
		}
		if err := w.scale(s, scale, zero, low, high, p); err != nil {
			return nil, err
		}
		given := &kernels.IntParams{Format: kernels.Int8, Min: -128, Max: 127, Scale: []float32{1}}
		if w.preset.weights.bits == 4 {
			given = &kernels.IntParams{Format: kernels.Uint4, Min: 0, Max: 15, Scale: []float32{1}, ZeroPoint: []int32{8}}
		}
		s.results[0] = w.codes(s, x, scale, zero, func(dst []uint8, y []float32) {
			kernels.QuantizeInt(dst, y, kernels.Grid{Rows: 1, Groups: 1, Len: len(y)}, given)
		})
	}
	for i, r := range p.Runs {
		if int64(len(s.results[i])) != r.Size {
			panic(fmt.Sprintf("checkpoint: %s: run %d has %d bytes, want %d", w.t.Name(), i, len(s.results[i]), r.Size))
		}
	}
	if s.watch == nil {
		return s.results, nil
	}
	values, err := w.values(s, p, global)
	if err != nil {
		return nil, w.t.wrap(err)
	}
	return s.results, pass(s, w.t, p.First*w.cols, x, values)
}

// ranges finds the least and the greatest element of each group, widened to hold zero.
func (w *ctWriter[T]) ranges(s *Scratch, low, high []float32, x []T, rows int) {
	groupRows := len(low) / w.groupCols
	whole := w.cols / w.blockCols
	if w.blockRows == 1 && w.cols%w.blockCols == 0 {
		w.minMax(s, low, high, x, kernels.Grid{Rows: 1, Groups: len(low), Len: w.blockCols})
	} else {
		for i := range low {
			low[i], high[i] = 0, 0
		}
		for r := range rows {
			row := x[r*w.cols:][:w.cols]
			at := min(r/w.blockRows, groupRows-1) * w.groupCols
			cut := whole * w.blockCols
			var l, h [1]float32
			if whole > 0 {
				rowLow, rowHigh := lend[float32](&s.values, whole), lend[float32](&s.gathered, whole)
				w.minMax(s, rowLow, rowHigh, row[:cut], kernels.Grid{Rows: 1, Groups: whole, Len: w.blockCols})
				merge(low[at:][:whole], high[at:][:whole], rowLow, rowHigh)
			}
			if cut < w.cols {
				w.minMax(s, l[:], h[:], row[cut:], kernels.Grid{Rows: 1, Groups: 1, Len: w.cols - cut})
				merge(low[at+whole:][:1], high[at+whole:][:1], l[:], h[:])
			}
		}
	}
	for i := range low {
		low[i], high[i] = min(low[i], 0), max(high[i], 0)
	}
}

// merge widens ranges to hold others. A NaN stays.
func merge(low, high, otherLow, otherHigh []float32) {
	for i := range low {
		low[i], high[i] = min(low[i], otherLow[i]), max(high[i], otherHigh[i])
	}
}

func (w *ctWriter[T]) minMax(s *Scratch, low, high []float32, x []T, g kernels.Grid) {
	if l, ok := any(low).([]T); ok {
		kernels.MinMax(l, any(high).([]T), x, g)
		return
	}
	l, h := lend[T](&s.table, len(low)), lend[T](&s.column, len(low))
	kernels.MinMax(l, h, x, g)
	widen(low, l)
	widen(high, h)
}

// largest finds the largest magnitude of some rows.
func (w *ctWriter[T]) largest(s *Scratch, first, rows int) (largest float32, err error) {
	most := max(1, pieceLen/w.cols)
	for end := first + rows; first < end; first += most {
		n := min(most, end-first) * w.cols
		x := lend[T](&s.rows, n)
		if err := ReadRows(w.t, x, first); err != nil {
			return 0, err
		}
		var low, high [1]float32
		w.minMax(s, low[:], high[:], x, kernels.Grid{Rows: 1, Groups: 1, Len: n})
		largest = max(largest, -low[0], high[0])
	}
	return largest, nil
}

// global finds the global scale of nvfp4, a multiplier, from the whole tensor: it asks for its largest magnitude, or reads it.
func (w *ctWriter[T]) global(s *Scratch) maker[largest, float32] {
	job := max(1, observeJob*observePiece/w.cols) // rows
	return maker[largest, float32]{
		begin: func(l *largest) (jobs int, err error) {
			if w.known != nil {
				found, err := w.known(Fact{Tensor: w.t.Name()})
				if err != nil {
					return 0, w.t.wrap(err)
				}
				if found != nil {
					l.value, err = w.parseLargest(found)
					return 0, err
				}
			}
			return (w.rows + job - 1) / job, nil
		},
		do: func(l *largest, i int) error {
			value, err := w.largest(s, i*job, min(job, w.rows-i*job))
			l.add(value)
			return err
		},
		end: func(l *largest) (float32, error) {
			if !finite(l.value) {
				return 0, w.t.refuse("has a NaN or an infinity, which compressed-tensors does not allow")
			}
			g := roundTo[T](roundTo[T](1/max(l.value, w.tiny())) * 2688)
			if !finite(g) {
				g = 1
			}
			return g, nil
		},
	}
}

// scale finds the scales of integers and fp8, and the zero points unless they are nil.
func (w *ctWriter[T]) scale(s *Scratch, scale, zero, low, high []float32, p Piece) error {
	a := w.preset.weights
	half := float32(448)
	if a.kind == "int" {
		half = float32(int(1)<<a.bits-1) / 2
	}
	lowest, highest := float32(-int(1)<<(a.bits-1)), float32(int(1)<<(a.bits-1)-1)
	for i := range scale {
		if zero == nil {
			scale[i] = roundTo[T](max(-low[i], high[i]) / half)
		} else {
			scale[i] = roundTo[T](roundTo[T](high[i]-low[i]) / float32(int(1)<<a.bits-1))
			z := roundTo[T](lowest - roundTo[T](low[i]/scale[i]))
			if z != z {
				z = 0
			}
			zero[i] = float32(math.RoundToEven(float64(min(max(z, lowest), highest))))
		}
		if !finite(scale[i]) {
			return w.t.refuse("has a scale that is infinite in %v", w.t.dtype)
		}
		if scale[i] == 0 {
			scale[i] = w.eps()
		}
	}
	stored := lend[T](&s.out[1], len(scale))
	narrow(stored, scale)
	toggleEndian(stored)
	s.results = append(s.results, bytesOf(stored))
	if w.preset.format != ctPack {
		return nil
	}
	if p.First == 0 {
		shape := lend[int64](&s.out[2], 2)
		shape[0], shape[1] = int64(w.rows), int64(w.cols)
		toggleEndian(shape)
		s.results = append(s.results, bytesOf(shape))
	}
	if zero != nil {
		words := lend[uint32](&s.out[3], (p.Rows+7)/8*w.groupCols)
		clear(words)
		for i, z := range zero {
			r, c := i/w.groupCols, i%w.groupCols
			words[r/8*w.groupCols+c] |= uint32(int32(z)+8) << (r % 8 * 4)
		}
		toggleEndian(words)
		s.results = append(s.results, bytesOf(words))
	}
	return nil
}

// scaleNVFP4 finds scales by the global one.
func (w *ctWriter[T]) scaleNVFP4(s *Scratch, scale, low, high []float32, global float32, first bool) {
	codes := lend[uint8](&s.out[1], len(low))
	for i := range scale {
		m := roundTo[T](max(-low[i], high[i]) / 6)
		c := fp8.E4M3FNFromFloat32Sat(global * m)
		if c.Float32() == 0 {
			c = fp8.E4M3FNFromFloat32Sat(0.125)
		}
		codes[i] = uint8(c)
		scale[i] = c.Float32() / global
	}
	s.results = append(s.results, codes)
	if first {
		stored := lend[float32](&s.out[2], 1)
		stored[0] = global
		toggleEndian(stored)
		s.results = append(s.results, bytesOf(stored))
	}
}

// scaleMXFP4 finds powers of two.
func (w *ctWriter[T]) scaleMXFP4(s *Scratch, scale, low, high []float32) {
	codes := lend[uint8](&s.out[1], len(low))
	for i := range scale {
		// One bit of mantissa stays, and what is nearer to the next power of two counts as that.
		exponent := int((math.Float32bits(max(-low[i], high[i])) + 1<<21) >> 23)
		e := max(exponent-2, 0)
		if exponent == 255 {
			e = 127
			scale[i] = float32(math.Inf(1))
		} else {
			scale[i] = roundTo[T](float32(math.Ldexp(1, e-127)))
		}
		codes[i] = uint8(e)
		if scale[i] == 0 {
			scale[i] = w.eps()
		}
	}
	s.results = append(s.results, codes)
}

// most is how many elements are worked on at a time, so that they stay in a core's first cache.
const most = 1 << 12

// codes returns the codes of some rows: they are divided by their groups' scales, zero points are added unless they are nil, and encode does
// the rest. It goes some rows at a time.
func (w *ctWriter[T]) codes(s *Scratch, x []T, scale, zero []float32, encode func(dst []uint8, y []float32)) []uint8 {
	rows := len(x) / w.cols
	bits := w.preset.weights.bits
	all := lend[uint8](&s.out[0], len(x)*bits/8)
	n := max(1, most/w.cols)
	for first := 0; first < rows; first += n {
		from, to := first*w.cols, min(first+n, rows)*w.cols
		y := lend[float32](&s.wide, to-from)
		widen(y, x[from:to])
		for r := first; r < min(first+n, rows); r++ {
			row := y[(r-first)*w.cols:][:w.cols]
			divide(row, scale[r/w.blockRows*w.groupCols:][:w.groupCols], w.blockCols)
		}
		if w.preset.format != ctNVFP4 {
			w.round(s, y)
		}
		if zero != nil {
			for r := first; r < min(first+n, rows); r++ {
				row := y[(r-first)*w.cols:][:w.cols]
				for g, z := range zero[r*w.groupCols:][:w.groupCols] {
					for i := range row[g*w.blockCols:][:w.blockCols] {
						row[g*w.blockCols+i] += z
					}
				}
			}
			w.round(s, y)
		}
		encode(all[from*bits/8:to*bits/8], y)
	}
	return all
}

// fp4 returns the codes of e2m1. A scale of at most 1 makes no quotient zero that is none, and if it is a power of two a quotient of T is one of
// T: then it takes no more than a kernel's division.
func (w *ctWriter[T]) fp4(s *Scratch, x []T, scale []float32) []uint8 {
	for _, d := range scale {
		if !(d > 0 && d <= 1) {
			return w.codes(s, x, scale, nil, w.pairs)
		}
	}
	all := lend[uint8](&s.out[0], len(x)/2)
	groups := max(1, most/w.blockCols)
	for first := 0; first < len(scale); first += groups {
		n := min(groups, len(scale)-first)
		from, to := first*w.blockCols, (first+n)*w.blockCols
		y := lend[float32](&s.wide, to-from)
		widen(y, x[from:to])
		for i := range y {
			y[i] += 0 // a zero has no sign
		}
		kernels.QuantizeFloat(all[from/2:to/2], y, kernels.Grid{Rows: 1, Groups: n, Len: w.blockCols},
			&kernels.FloatParams{Format: kernels.E2M1Packed, Scale: scale[first:][:n]})
	}
	return all
}

// divide divides the elements of a row by their groups' scales.
func divide(row, scale []float32, size int) {
	for _, d := range scale {
		group := row[:min(size, len(row))]
		for i := range group {
			group[i] /= d
		}
		row = row[len(group):]
	}
}

// round rounds numbers to T.
func (w *ctWriter[T]) round(s *Scratch, x []float32) {
	if _, wide := any(x).([]T); wide {
		return
	}
	half := lend[T](&s.table, len(x))
	narrow(half, x)
	widen(x, half)
}

// pairs encodes e2m1. A zero has no sign; a negative number that is rounded to zero has one.
func (w *ctWriter[T]) pairs(dst []uint8, x []float32) {
	for i := range x {
		x[i] += 0
	}
	kernels.EncodeE2M1Pairs(as[fp4.Pair](dst), x)
}

// eps is the difference of 1 and the next number of T, and tiny the least normal number.
func (w *ctWriter[T]) eps() float32 { return [...]float32{0x1p-23, 0x1p-10, 0x1p-7}[w.element()] }

func (w *ctWriter[T]) tiny() float32 { return [...]float32{0x1p-126, 0x1p-14, 0x1p-126}[w.element()] }

func (w *ctWriter[T]) element() int {
	switch any(*new(T)).(type) {
	case float16.Float16:
		return 1
	case bf16.BFloat16:
		return 2
	}
	return 0
}

// roundTo rounds to T.
func roundTo[T kernels.Float](x float32) float32 {
	switch any(*new(T)).(type) {
	case float16.Float16:
		return float16.Fromfloat32(x).Float32()
	case bf16.BFloat16:
		return bf16.FromFloat32(x).Float32()
	}
	return x
}

// widen converts to float32, exactly.
func widen[T kernels.Float](dst []float32, src []T) {
	switch src := any(src).(type) {
	case []float32:
		copy(dst, src)
	case []float16.Float16:
		kernels.DecodeFloat16(dst, src)
	case []bf16.BFloat16:
		kernels.DecodeBFloat16(dst, src)
	}
}

func finite(x float32) bool { return x-x == 0 }

package bench

import (
	"strings"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/codeformat"
	"github.com/lowbit-go/lowbit/kernels"
)

// intFormat is an integer format of the kernels. Codes that are not packed are int8. An unsigned format has half of its codes for numbers
// above zero.
type intFormat struct {
	name     string
	format   kernels.Format // 0 unless codes are packed
	min, max int
	scale    float32
}

// floatFormat is a float format of the kernels.
type floatFormat struct {
	name   string
	format kernels.Format
	scale  float32
}

var (
	intFormats    = []intFormat{{"int8", 0, -128, 127, .0200003}, {"int4", 0, -8, 7, .3200003}}
	packedFormats = []intFormat{{"int4packed", kernels.Int4, -8, 7, .3200003}, {"uint4packed", kernels.Uint4, 0, 15, .3200003}, {"int2packed", kernels.Int2, -2, 1, 1.2800012}, {"uint2packed", kernels.Uint2, 0, 3, 1.2800012}}
)

// floatFormats are those whose codes have assembly that writes and reads them as they are: all but six bits.
var floatFormats = func() (list []floatFormat) {
	for id, row := range codeformat.Rows[:codeformat.KernelsEnd] {
		if row.Float == nil || row.Width == 6 {
			continue
		}
		f := floatFormat{strings.ToLower(strings.TrimSuffix(row.Name, "FN")), kernels.Format(id), .0200003}
		if row.Width == 4 {
			f.scale = .5
		}
		list = append(list, f)
	}
	return list
}()

// maskKind is a form of a mask.
type maskKind struct {
	name  string
	bytes func(n int) int
	mask  func([]byte) kernels.Mask
}

var (
	byteMask  = maskKind{"bytemask", func(n int) int { return n }, kernels.ByteMask}
	bitMask   = maskKind{"bitmask", kernels.BitMaskLen, kernels.BitMask}
	noMask    = maskKind{"nomask", func(int) int { return 0 }, func([]byte) kernels.Mask { return kernels.NoMask }}
	maskKinds = []maskKind{byteMask, bitMask, noMask}
)

// tensorOps are the operations on tensors of type T.
func tensorOps[T kernels.Float](suffix string, groupings []grouping) []Op {
	t := &tensorTable[T]{suffix: suffix, groupings: groupings}
	t.integers()
	t.packedIntegers()
	t.floats()
	t.ranges()
	t.gradients()
	return t.ops
}

// tensorTable collects the operations on tensors of an element type.
type tensorTable[T kernels.Float] struct {
	suffix    string
	groupings []grouping
	ops       []Op
}

func (t *tensorTable[T]) add(name string, g grouping, begin func(a *arena, n int) work) {
	t.ops = append(t.ops, Op{name + g.suffix + t.suffix, g, begin})
}

func (t *tensorTable[T]) integers() {
	for _, f := range intFormats {
		for _, g := range t.groupings {
			for _, m := range maskKinds {
				t.add("fakequantize/"+f.name+"/"+m.name, g, func(a *arena, n int) work {
					x, y, mask, grid := elements[T](a, n), alloc[T](a, n), alloc[byte](a, m.bytes(n)), g.grid(n)
					p, bytes := f.params(a, grid.Groups)
					return work{func() { kernels.FakeQuantizeInt(y, m.mask(mask), x, grid, p) }, size(x) + bytes, size(y) + len(mask)}
				})
			}
			t.add("quantize/"+f.name, g, func(a *arena, n int) work {
				x, codes, grid := elements[T](a, n), alloc[int8](a, n), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				return work{func() { kernels.QuantizeInt(codes, x, grid, p) }, size(x) + bytes, n}
			})
			t.add("dequantize/"+f.name, g, func(a *arena, n int) work {
				codes, y, x, grid := alloc[int8](a, n), alloc[T](a, n), elements[T](a, n), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				kernels.QuantizeInt(codes, x, grid, p)
				return work{func() { kernels.DequantizeInt(y, codes, grid, p) }, n + bytes, size(y)}
			})
		}
	}
}

func (t *tensorTable[T]) packedIntegers() {
	for _, f := range packedFormats {
		for _, g := range t.groupings {
			t.add("quantize/"+f.name, g, func(a *arena, n int) work {
				x, codes, grid := elements[T](a, n), alloc[byte](a, f.format.Bytes(n)), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				return work{func() { kernels.QuantizeInt(codes, x, grid, p) }, size(x) + bytes, len(codes)}
			})
			t.add("dequantize/"+f.name, g, func(a *arena, n int) work {
				codes, y, x, grid := alloc[byte](a, f.format.Bytes(n)), alloc[T](a, n), elements[T](a, n), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				kernels.QuantizeInt(codes, x, grid, p)
				return work{func() { kernels.DequantizeInt(y, codes, grid, p) }, len(codes) + bytes, size(y)}
			})
		}
	}
}

func (t *tensorTable[T]) floats() {
	for _, f := range floatFormats {
		for _, g := range t.groupings {
			for _, m := range maskKinds {
				if f.format == kernels.E2M1Packed {
					continue // what e2m1 is, as there are no codes
				}
				t.add("fakequantize/"+f.name+"/"+m.name, g, func(a *arena, n int) work {
					x, y, mask, grid := elements[T](a, n), alloc[T](a, n), alloc[byte](a, m.bytes(n)), g.grid(n)
					p, bytes := f.params(a, grid.Groups)
					return work{func() { kernels.FakeQuantizeFloat(y, m.mask(mask), x, grid, p) }, size(x) + bytes, size(y) + len(mask)}
				})
			}
			t.add("quantize/"+f.name, g, func(a *arena, n int) work {
				x, codes, grid := elements[T](a, n), alloc[byte](a, f.format.Bytes(n)), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				return work{func() { kernels.QuantizeFloat(codes, x, grid, p) }, size(x) + bytes, len(codes)}
			})
			t.add("dequantize/"+f.name, g, func(a *arena, n int) work {
				codes, y, x, grid := alloc[byte](a, f.format.Bytes(n)), alloc[T](a, n), elements[T](a, n), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				kernels.QuantizeFloat(codes, x, grid, p)
				return work{func() { kernels.DequantizeFloat(y, codes, grid, p) }, len(codes) + bytes, size(y)}
			})
		}
	}
}

func (t *tensorTable[T]) ranges() {
	for _, g := range t.groupings {
		t.add("minmax", g, func(a *arena, n int) work {
			x, grid := elements[T](a, n), g.grid(n)
			low, high := alloc[T](a, grid.Groups), alloc[T](a, grid.Groups)
			written := size(low) + size(high)
			if grid.Groups == 1 {
				written = 0
			}
			return work{func() { kernels.MinMax(low, high, x, grid) }, size(x), written}
		})
	}
}

func (t *tensorTable[T]) gradients() {
	for _, m := range []maskKind{byteMask, bitMask} {
		t.add("backward/"+m.name, oneGroup, func(a *arena, n int) work {
			dy, dx, mask := elements[T](a, n), alloc[T](a, n), alloc[byte](a, m.bytes(n))
			f, grid := intFormats[0], oneGroup.grid(n)
			p, _ := f.params(a, 1)
			kernels.FakeQuantizeInt(dx, m.mask(mask), dy, grid, p)
			return work{func() { kernels.Backward(dx, dy, m.mask(mask)) }, size(dy) + len(mask), size(dx)}
		})
	}
}

// params returns the parameters of so many groups, and how many bytes they are: none if they are for one group.
func (f intFormat) params(a *arena, groups int) (p *kernels.IntParams, bytes int) {
	scale, bytes := scales(a, groups, f.scale)
	p = &kernels.IntParams{Format: f.format, Min: f.min, Max: f.max, Scale: scale}
	if p.Min == 0 {
		p.ZeroPoint = alloc[int32](a, groups)
		for i := range p.ZeroPoint {
			p.ZeroPoint[i] = int32(p.Max+1) / 2
		}
		bytes *= 2
	}
	return p, bytes
}

func (f floatFormat) params(a *arena, groups int) (p *kernels.FloatParams, bytes int) {
	scale, bytes := scales(a, groups, f.scale)
	return &kernels.FloatParams{Format: f.format, Scale: scale}, bytes
}

func scales(a *arena, groups int, value float32) (scale []float32, bytes int) {
	scale = alloc[float32](a, groups)
	for i := range scale {
		scale[i] = value
	}
	if groups == 1 {
		return scale, 0
	}
	return scale, size(scale)
}

// elements returns the elements that are quantized.
func elements[T kernels.Float](a *arena, n int) []T {
	x := alloc[T](a, n)
	state := uint32(1)
	next := func() float32 { // xorshift
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		return float32(int32(state>>8)-1<<23) * (2.5 / (1 << 23))
	}
	switch x := any(x).(type) {
	case []float32:
		for i := range x {
			x[i] = next()
		}
	case []float16.Float16:
		for i := range x {
			x[i] = float16.Fromfloat32(next())
		}
	case []bf16.BFloat16:
		for i := range x {
			x[i] = bf16.FromFloat32(next())
		}
	}
	return x
}

func size[T any](s []T) int { return len(s) * int(unsafe.Sizeof(*new(T))) }

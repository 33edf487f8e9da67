package kernels

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// kernel is a kernel under test. Its entry in the table is all that the tests
// of implementations need.
type kernel struct {
	name     string
	operands []operand   // the first is dst, the second src, by name or by nature
	inPlace  bool        // dst may be src
	flat     bool        // the grid is but a length
	formats  []IntParams // ranges of codes to try
	fill     func(r *source, t *trial)
	run      func(t *trial) // the kernel
	oracle   func(t *trial) // the portable implementation, without checks
}

// operand is a slice that a kernel reads or writes.
type operand struct {
	name string
	elem elem
	len  func(g Grid) int
	out  bool
}

// trial is one call: memory for each operand, and what is not in memory.
type trial struct {
	grid     Grid
	min, max int
	mem      [][]byte
}

// elem is an element type.
type elem struct {
	name string
	size int
}

var (
	f32    = elem{"f32", 4}
	f16    = elem{"f16", 2}
	bf     = elem{"bf16", 2}
	e4m3   = elem{"e4m3", 1}
	e5m2   = elem{"e5m2", 1}
	int32s = elem{"int32", 4}
	bytes8 = elem{"byte", 1}
)

func elementType[T Float]() elem {
	switch any(*new(T)).(type) {
	case float16.Float16:
		return f16
	case bf16.BFloat16:
		return bf
	}
	return f32
}

func elements(g Grid) int { return g.Rows * g.Groups * g.Len }
func groups(g Grid) int   { return g.Groups }

func in(name string, e elem, n func(Grid) int) operand  { return operand{name, e, n, false} }
func out(name string, e elem, n func(Grid) int) operand { return operand{name, e, n, true} }

// mem returns an operand as a slice.
func mem[E any](t *trial, i int) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(t.mem[i]))), len(t.mem[i])/int(unsafe.Sizeof(*new(E))))
}

// table has every kernel.
var table = concat(
	tensorKernels[float32](), tensorKernels[float16.Float16](), tensorKernels[bf16.BFloat16](),
	packKernels[int8](), packKernels[uint8](), conversions(),
)

func concat(lists ...[]kernel) (all []kernel) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// tensorKernels are those that exist for each element type.
func tensorKernels[T Float]() []kernel {
	return concat(
		fakeQuantizeIntKernels[T](), codeKernels[T, int8](Int8, signedRanges), codeKernels[T, uint8](Uint8, unsignedRanges),
		codeKernels[T, uint8](Int16, wideRanges), codeKernels[T, uint8](Uint16, wideUnsigned),
		packedKernels[T](), fpKernels[T](), backwardKernels[T](), minMaxKernels[T](), dynamicPackedKernels[T](),
		dynamicIntKernels[T, int8](Int8, signedRules), dynamicIntKernels[T, uint8](Uint8, unsignedRules), dynamicFloatKernels[T](),
	)
}

// Ranges of codes: those of the formats, with clipping too, and odd ones.
var (
	signedRanges   = []IntParams{{Min: -128, Max: 127}, {Min: -127, Max: 127}, {Min: -8, Max: 7}, {Min: -7, Max: 7}, {Min: -2, Max: 1}, {Min: -1, Max: 1}, {Min: 3, Max: 3}, {Min: -100, Max: -20}, {Min: 5, Max: 11}}
	wideRanges     = []IntParams{{Min: -32768, Max: 32767}, {Min: -32767, Max: 32767}, {Min: -300, Max: 5}, {Min: 20000, Max: 20001}}
	wideUnsigned   = []IntParams{{Min: 0, Max: 65535}, {Min: 0, Max: 1000}, {Min: 40000, Max: 65535}}
	unsignedRanges = []IntParams{{Min: 0, Max: 255}, {Min: 0, Max: 15}, {Min: 0, Max: 3}, {Min: 9, Max: 9}, {Min: 200, Max: 255}, {Min: 1, Max: 2}}
)

// masks are the kinds of masks, as operands.
var masks = []struct {
	name string
	len  func(Grid) int
	mask func([]byte) Mask
}{
	{"nomask", func(Grid) int { return 0 }, func([]byte) Mask { return NoMask }},
	{"bytemask", elements, ByteMask},
	{"bitmask", func(g Grid) int { return BitMaskLen(elements(g)) }, BitMask},
}

// formulations are the ways to give the parameters of integers.
var formulations = []struct {
	name               string
	zeroPoints, minval func(Grid) int
}{
	{"symmetric", none, none},
	{"zp", groups, none},
	{"minval", none, groups},
}

func none(Grid) int { return 0 }

// intParams returns the parameters that the operands from the third on hold.
func intParams(t *trial, formulation string) *IntParams {
	p := &IntParams{Min: t.min, Max: t.max, Scale: mem[float32](t, 2)}
	switch formulation {
	case "zp":
		p.ZeroPoint = mem[int32](t, 3)
	case "minval":
		p.Minval = mem[float32](t, 4)
	}
	return p
}

func fillIntParams(r *source, t *trial) {
	r.scales(mem[float32](t, 2))
	r.zeroPoints(mem[int32](t, 3), t.min, t.max)
	if m := mem[float32](t, 4); len(m) > 0 {
		r.minvals(m, mem[float32](t, 2), t.max-t.min)
	}
}

func fakeQuantizeIntKernels[T Float]() (list []kernel) {
	e := elementType[T]()
	for _, m := range masks {
		for _, f := range formulations {
			call := func(f32 func(dst []T, mask Mask, src []T, g Grid, p *IntParams)) func(t *trial) {
				return func(t *trial) {
					f32(mem[T](t, 0), m.mask(t.mem[5]), mem[T](t, 1), t.grid, intParams(t, f.name))
				}
			}
			list = append(list, kernel{
				name: fmt.Sprintf("FakeQuantizeInt/%s/%s/%s", e.name, f.name, m.name),
				operands: []operand{out("dst", e, elements), in("src", e, elements), in("scale", f32, groups),
					in("zeroPoint", int32s, f.zeroPoints), in("minval", f32, f.minval), out("mask", bytes8, m.len)},
				inPlace: true,
				formats: slices.Concat(signedRanges, unsignedRanges, wideRanges, wideUnsigned),
				fill: func(r *source, t *trial) {
					fillIntParams(r, t)
					nearInts(r, mem[T](t, 1), t.grid, intParams(t, f.name))
				},
				run:    call(FakeQuantizeInt[T]),
				oracle: call(portableFakeQuantizeInt[T]),
			})
		}
	}
	return list
}

// codeKernels quantize to codes and back, by formats that have so many bits to a
// code. C is what a slice of them has as its elements.
func codeKernels[T Float, C IntCode](f Format, ranges []IntParams) (list []kernel) {
	e := elementType[T]()
	codes := func(g Grid) int { return f.Bytes(elements(g)) }
	for _, formulation := range formulations {
		name := fmt.Sprintf("%s/%v/%s", e.name, f, formulation.name)
		operands := func(dst, src operand) []operand {
			return []operand{dst, src, in("scale", f32, groups), in("zeroPoint", int32s, formulation.zeroPoints), in("minval", f32, formulation.minval)}
		}
		params := func(t *trial) *IntParams {
			p := intParams(t, formulation.name)
			if f.Bits() != 8 {
				p.Format = f
			}
			return p
		}
		list = append(list, kernel{
			name:     "QuantizeInt/" + name,
			operands: operands(out("dst", bytes8, codes), in("src", e, elements)),
			formats:  ranges,
			fill: func(r *source, t *trial) {
				fillIntParams(r, t)
				nearInts(r, mem[T](t, 1), t.grid, params(t))
			},
			run:    func(t *trial) { QuantizeInt(mem[C](t, 0), mem[T](t, 1), t.grid, params(t)) },
			oracle: func(t *trial) { portableQuantizeInt(t.mem[0], mem[T](t, 1), t.grid, params(t), f) },
		}, kernel{
			name:     "DequantizeInt/" + name,
			operands: operands(out("dst", e, elements), in("src", bytes8, codes)),
			formats:  ranges,
			fill: func(r *source, t *trial) {
				fillIntParams(r, t)
				fillBytes(r, t.mem[1])
			},
			run: func(t *trial) { DequantizeInt(mem[T](t, 0), mem[C](t, 1), t.grid, params(t)) },
			oracle: func(t *trial) {
				portableDequantizeInt(mem[T](t, 0), t.mem[1], t.grid, params(t), f)
			},
		})
	}
	return list
}

// packedFormats are the integer formats that have several codes to a byte.
var packedFormats = []Format{Int6, Uint6, Int4, Uint4, Int2, Uint2}

// packedKernels are codeKernels of packed codes.
func packedKernels[T Float]() (list []kernel) {
	for _, f := range packedFormats {
		least, most := f.Range()
		ranges := []IntParams{{Min: least, Max: most}}
		for _, p := range append(signedRanges, unsignedRanges...) {
			if p.Min >= least && p.Max <= most {
				ranges = append(ranges, p)
			}
		}
		list = append(list, codeKernels[T, uint8](f, ranges)...)
	}
	return list
}

func fillBytes(r *source, b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// floatCodes8 says what NaNs the codes of a format have.
func floatCodes8(f Format) elem {
	switch row := codeformat.Rows[f].Float; {
	case row.NaN == codeformat.NoNaN:
		return bytes8
	case row.Mantissa == 2:
		return e5m2
	}
	return e4m3
}

func fpKernels[T Float]() (list []kernel) {
	e := elementType[T]()
	for _, f := range floatFormats {
		codes := floatCodes8(f)
		codesLen := func(g Grid) int { return f.Bytes(elements(g)) }
		params := func(t *trial) *FloatParams { return &FloatParams{Format: f, Scale: mem[float32](t, 2)} }
		fill := func(r *source, t *trial) {
			r.scales(mem[float32](t, 2))
			nearFloats(r, mem[T](t, 1), t.grid, params(t))
		}
		for _, m := range masks {
			fake := func(k func(dst []T, mask Mask, src []T, g Grid, p *FloatParams)) func(t *trial) {
				return func(t *trial) { k(mem[T](t, 0), m.mask(t.mem[3]), mem[T](t, 1), t.grid, params(t)) }
			}
			list = append(list, kernel{
				name:     fmt.Sprintf("FakeQuantizeFloat/%s/%v/%s", e.name, f, m.name),
				operands: []operand{out("dst", e, elements), in("src", e, elements), in("scale", f32, groups), out("mask", bytes8, m.len)},
				inPlace:  true,
				fill:     fill,
				run:      fake(FakeQuantizeFloat[T]),
				oracle:   fake(portableFakeQuantizeFloat[T]),
			})
		}
		quantize := func(k func(dst []byte, src []T, g Grid, p *FloatParams)) func(t *trial) {
			return func(t *trial) { k(t.mem[0], mem[T](t, 1), t.grid, params(t)) }
		}
		dequantize := func(k func(dst []T, src []byte, g Grid, p *FloatParams)) func(t *trial) {
			return func(t *trial) { k(mem[T](t, 0), t.mem[1], t.grid, params(t)) }
		}
		list = append(list, kernel{
			name:     fmt.Sprintf("QuantizeFloat/%s/%v", e.name, f),
			operands: []operand{out("dst", codes, codesLen), in("src", e, elements), in("scale", f32, groups)},
			fill:     fill,
			run:      quantize(QuantizeFloat[byte, T]),
			oracle:   quantize(portableQuantizeFloat[T]),
		}, kernel{
			name:     fmt.Sprintf("DequantizeFloat/%s/%v", e.name, f),
			operands: []operand{out("dst", e, elements), in("src", codes, codesLen), in("scale", f32, groups)},
			fill: func(r *source, t *trial) {
				r.scales(mem[float32](t, 2))
				fillBytes(r, t.mem[1])
			},
			run:    dequantize(DequantizeFloat[T, byte]),
			oracle: dequantize(portableDequantizeFloat[T]),
		})
	}
	return list
}

func backwardKernels[T Float]() (list []kernel) {
	e := elementType[T]()
	for _, m := range masks {
		call := func(k func(dx, dy []T, mask Mask)) func(t *trial) {
			return func(t *trial) { k(mem[T](t, 0), mem[T](t, 1), m.mask(t.mem[2])) }
		}
		list = append(list, kernel{
			name:     fmt.Sprintf("Backward/%s/%s", e.name, m.name),
			operands: []operand{out("dx", e, elements), in("dy", e, elements), in("mask", bytes8, m.len)},
			inPlace:  true,
			flat:     true,
			fill: func(r *source, t *trial) {
				arbitrary(r, mem[T](t, 1))
				fillBytes(r, t.mem[2])
				if m.name == "bytemask" && r.IntN(8) > 0 {
					for i := range t.mem[2] {
						t.mem[2][i] &= 1
					}
				}
			},
			run:    call(Backward[T]),
			oracle: call(portableBackward[T]),
		})
	}
	return list
}

func minMaxKernels[T Float]() []kernel {
	e := elementType[T]()
	call := func(k func(min, max, src []T, g Grid)) func(t *trial) {
		return func(t *trial) {
			if len(t.mem[1]) > 0 {
				k(mem[T](t, 0), mem[T](t, 2), mem[T](t, 1), t.grid)
			}
		}
	}
	return []kernel{{
		name:     "MinMax/" + e.name,
		operands: []operand{out("min", e, observed), in("src", e, elements), out("max", e, observed)},
		fill:     func(r *source, t *trial) { arbitrary(r, mem[T](t, 1)) },
		run:      call(MinMax[T]),
		oracle:   call(portableMinMax[T]),
	}}
}

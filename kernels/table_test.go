package kernels

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
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

// observed is the number of groups, and none where a kernel that observes them panics.
func observed(g Grid) int {
	if elements(g) == 0 {
		return 0
	}
	return g.Groups
}

// rules are the ways to choose the parameters of integers.
var rules = []struct {
	name               string
	rule               IntRule
	zeroPoints, minval func(Grid) int
}{
	{"symmetric", IntRule{}, observed, observed},
	{"symmetric/minval", IntRule{ByMinval: true}, none, observed},
	{"asymmetric", IntRule{Asymmetric: true}, observed, none},
	{"asymmetric/minval", IntRule{Asymmetric: true, ByMinval: true}, observed, observed},
	{"e8m0", IntRule{Scales: ScaleE8M0}, observed, observed},
	{"asymmetric/float16", IntRule{Asymmetric: true, Scales: ScaleFloat16}, observed, none},
	{"minval/bfloat16", IntRule{ByMinval: true, Scales: ScaleBFloat16}, none, observed},
	{"symmetric/float16", IntRule{Scales: ScaleFloat16}, observed, none},
}

// The ranges of the formats.
var (
	signedRules   = []IntParams{{Min: -128, Max: 127}, {Min: -127, Max: 127}, {Min: -8, Max: 7}, {Min: -7, Max: 7}, {Min: -2, Max: 1}, {Min: -1, Max: 1}}
	unsignedRules = []IntParams{{Min: 0, Max: 255}, {Min: 0, Max: 15}, {Min: 0, Max: 3}}
)

// dynamicIntKernels choose parameters, observe, and observe and quantize.
func dynamicIntKernels[T Float, C IntCode](own Format, ranges []IntParams) (list []kernel) {
	e := elementType[T]()
	for _, f := range rules {
		params := []operand{out("scale", f32, observed), out("zeroPoint", int32s, f.zeroPoints), out("minval", f32, f.minval)}
		rule := func(t *trial) *IntRule {
			r := &IntRule{Asymmetric: f.rule.Asymmetric, ByMinval: f.rule.ByMinval, Scales: f.rule.Scales}
			r.Min, r.Max, r.Scale = t.min, t.max, mem[float32](t, 2)
			if f.zeroPoints(t.grid) > 0 {
				r.ZeroPoint = mem[int32](t, 3)
			}
			if f.minval(t.grid) > 0 {
				r.Minval = mem[float32](t, 4)
			}
			return r
		}
		nonEmpty := func(call func(t *trial)) func(t *trial) {
			return func(t *trial) {
				if elements(t.grid) > 0 {
					call(t)
				}
			}
		}
		dynamic := func(k func(dst []C, src []T, g Grid, r *IntRule)) func(t *trial) {
			return nonEmpty(func(t *trial) { k(mem[C](t, 0), mem[T](t, 1), t.grid, rule(t)) })
		}
		observe := func(k func(src []T, g Grid, r *IntRule)) func(t *trial) {
			return nonEmpty(func(t *trial) { k(mem[T](t, 1), t.grid, rule(t)) })
		}
		choose := func(k func(r *IntRule, low, high []float32)) func(t *trial) {
			return nonEmpty(func(t *trial) { k(rule(t), mem[float32](t, 0), mem[float32](t, 1)) })
		}
		name := fmt.Sprintf("%s/%v/%s", e.name, own, f.name)
		fill := func(r *source, t *trial) { groupsOfKinds(r, mem[T](t, 1), t.grid) }
		list = append(list, kernel{
			name:     "DynamicInt/" + name,
			operands: append([]operand{out("dst", bytes8, elements), in("src", e, elements)}, params...),
			formats:  ranges,
			fill:     fill,
			run:      dynamic(DynamicInt[C, T]),
			oracle: dynamic(func(dst []C, src []T, g Grid, r *IntRule) {
				portableObserveInt(src, g, r)
				p := r.params(0, g.Groups)
				portableQuantizeInt(bytesOf(dst), src, g, &p, own)
			}),
		}, kernel{
			name:     "ObserveInt/" + name,
			operands: append([]operand{out("none", bytes8, none), in("src", e, elements)}, params...),
			formats:  ranges,
			fill:     fill,
			run:      observe(ObserveInt[T]),
			oracle:   observe(portableObserveInt[T]),
		}, kernel{
			name:     "ChooseInt/" + name,
			operands: append([]operand{in("low", f32, observed), in("high", f32, observed)}, params...),
			formats:  ranges,
			fill:     func(r *source, t *trial) { ranges32[T](r, mem[float32](t, 0), mem[float32](t, 1)) },
			run:      choose(ChooseInt[T]),
			oracle:   choose(portableChooseInt[T]),
		})
	}
	return list
}

// dynamicPackedKernels observe and quantize to packed integers.
func dynamicPackedKernels[T Float]() (list []kernel) {
	e := elementType[T]()
	for _, f := range packedFormats {
		least, most := f.Range()
		for _, asymmetric := range []bool{false, true} {
			dynamic := func(k func(dst []byte, src []T, g Grid, r *IntRule)) func(t *trial) {
				return func(t *trial) {
					if elements(t.grid) > 0 {
						k(t.mem[0], mem[T](t, 1), t.grid, &IntRule{Format: f, Min: t.min, Max: t.max, Asymmetric: asymmetric, Scale: mem[float32](t, 2), ZeroPoint: mem[int32](t, 3)})
					}
				}
			}
			list = append(list, kernel{
				name: fmt.Sprintf("DynamicInt/%s/%v/asymmetric=%v", e.name, f, asymmetric),
				operands: []operand{out("dst", bytes8, func(g Grid) int { return f.Bytes(elements(g)) }), in("src", e, elements),
					out("scale", f32, observed), out("zeroPoint", int32s, observed)},
				formats: []IntParams{{Min: least, Max: most}},
				fill:    func(r *source, t *trial) { groupsOfKinds(r, mem[T](t, 1), t.grid) },
				run:     dynamic(DynamicInt[byte, T]),
				oracle: dynamic(func(dst []byte, src []T, g Grid, r *IntRule) {
					portableObserveInt(src, g, r)
					p := r.params(0, g.Groups)
					portableQuantizeInt(dst, src, g, &p, f)
				}),
			})
		}
	}
	return list
}

// dynamicFloatKernels are the same for small floats.
func dynamicFloatKernels[T Float]() (list []kernel) {
	e := elementType[T]()
	for _, scales := range []ScaleType{ScaleAny, ScaleE8M0} {
		for _, f := range floatFormats {
			codes := floatCodes8(f)
			rule := func(t *trial) *FloatRule {
				return &FloatRule{Format: f, Scales: scales, Scale: mem[float32](t, 2)}
			}
			nonEmpty := func(call func(t *trial)) func(t *trial) {
				return func(t *trial) {
					if elements(t.grid) > 0 {
						call(t)
					}
				}
			}
			dynamic := func(k func(dst []byte, src []T, g Grid, r *FloatRule)) func(t *trial) {
				return nonEmpty(func(t *trial) { k(t.mem[0], mem[T](t, 1), t.grid, rule(t)) })
			}
			observe := func(k func(src []T, g Grid, r *FloatRule)) func(t *trial) {
				return nonEmpty(func(t *trial) { k(mem[T](t, 1), t.grid, rule(t)) })
			}
			choose := func(k func(r *FloatRule, low, high []float32)) func(t *trial) {
				return nonEmpty(func(t *trial) { k(rule(t), mem[float32](t, 0), mem[float32](t, 1)) })
			}
			name := fmt.Sprintf("%s/%v", e.name, f)
			if scales == ScaleE8M0 {
				name += "/e8m0"
			}
			fill := func(r *source, t *trial) { groupsOfKinds(r, mem[T](t, 1), t.grid) }
			list = append(list, kernel{
				name: "DynamicFloat/" + name,
				operands: []operand{out("dst", codes, func(g Grid) int { return f.Bytes(elements(g)) }), in("src", e, elements),
					out("scale", f32, observed)},
				fill: fill,
				run:  dynamic(DynamicFloat[byte, T]),
				oracle: dynamic(func(dst []byte, src []T, g Grid, r *FloatRule) {
					portableObserveFloat(src, g, r)
					p := r.params(0, g.Groups)
					portableQuantizeFloat(dst, src, g, &p)
				}),
			}, kernel{
				name:     "ObserveFloat/" + name,
				operands: []operand{out("none", bytes8, none), in("src", e, elements), out("scale", f32, observed)},
				fill:     fill,
				run:      observe(ObserveFloat[T]),
				oracle:   observe(portableObserveFloat[T]),
			}, kernel{
				name:     "ChooseFloat/" + name,
				operands: []operand{in("low", f32, observed), in("high", f32, observed), out("scale", f32, observed)},
				fill:     func(r *source, t *trial) { ranges32[T](r, mem[float32](t, 0), mem[float32](t, 1)) },
				run:      choose(ChooseFloat[T]),
				oracle:   choose(portableChooseFloat[T]),
			})
		}
	}
	return list
}

// groupsOfKinds makes groups of numbers: mostly of one magnitude, some of one
// sign, of zeros, with subnormal, huge or any numbers among them.
func groupsOfKinds[T Float](r *source, x []T, g Grid) {
	for group := range g.Groups {
		kind, size := r.IntN(16), math.Ldexp(1+r.Float64(), r.IntN(40)-30)
		switch {
		case kind == 0:
			size = 0
		case kind == 1:
			size = math.Ldexp(1, -r.IntN(30)-120)
		case kind == 2:
			size = math.Ldexp(1.9, 127)
		}
		for row := range g.Rows {
			for i := range g.Len {
				v := size * (2*r.Float64() - 1)
				switch {
				case r.chance(r.wild / 8):
					v = float64(r.special())
				case kind == 3:
					v = math.Abs(v)
				case kind == 4:
					v = -math.Abs(v)
				case kind == 5 && r.IntN(8) == 0:
					v = math.Copysign(0, v)
				}
				x[(row*g.Groups+group)*g.Len+i] = rounded[T](float32(v))
			}
		}
	}
}

// ranges32 makes ranges of elements, most of them around zero; some no T has.
func ranges32[T Float](r *source, low, high []float32) {
	for i := range low {
		var pair [2]T
		groupsOfKinds(r, pair[:], Grid{1, 1, 2})
		a, b := value(pair[0]), value(pair[1])
		if r.IntN(4) == 0 { // of a tensor of another type
			var wide [2]float32
			groupsOfKinds(r, wide[:], Grid{1, 1, 2})
			a, b = wide[0], wide[1]
		}
		low[i], high[i] = min(a, b), max(a, b)
		if r.IntN(2) == 0 {
			low[i], high[i] = min(low[i], 0), max(high[i], 0)
		}
	}
}

func packKernels[C int8 | uint8]() (list []kernel) {
	for _, f := range packedFormats {
		packed := func(g Grid) int { return f.Bytes(elements(g)) }
		fill := func(r *source, t *trial) { fillBytes(r, t.mem[1]) }
		list = append(list, kernel{
			name:     fmt.Sprintf("Pack/%v/%T", f, C(0)),
			operands: []operand{out("dst", bytes8, packed), in("src", bytes8, elements)},
			flat:     true,
			fill:     fill,
			run:      func(t *trial) { Pack(t.mem[0], mem[C](t, 1), f) },
			oracle:   func(t *trial) { portablePack(t.mem[0], t.mem[1], f) },
		}, kernel{
			name:     fmt.Sprintf("Unpack/%v/%T", f, C(0)),
			operands: []operand{out("dst", bytes8, elements), in("src", bytes8, packed)},
			flat:     true,
			fill:     fill,
			run:      func(t *trial) { Unpack(mem[C](t, 0), t.mem[1], f) },
			oracle:   func(t *trial) { portableUnpack(t.mem[0], t.mem[1], f) },
		})
	}
	return list
}

// conversions are the encoders, whose names begin with Encode, and the decoders.
func conversions() []kernel {
	pairs := func(g Grid) int { return (elements(g) + 1) / 2 }
	return []kernel{
		encoder("EncodeFloat16", f16, EncodeFloat16, float16.Fromfloat32),
		encoder("EncodeBFloat16", bf, EncodeBFloat16, bf16.FromFloat32),
		encoder("EncodeE4M3FN", bytes8, EncodeE4M3FN, fp8.E4M3FNFromFloat32),
		encoder("EncodeE4M3FNSat", bytes8, EncodeE4M3FNSat, fp8.E4M3FNFromFloat32Sat),
		encoder("EncodeE5M2", bytes8, EncodeE5M2, fp8.E5M2FromFloat32),
		encoder("EncodeE5M2Sat", bytes8, EncodeE5M2Sat, fp8.E5M2FromFloat32Sat),
		encoder("EncodeE4M3FNUZ", bytes8, EncodeE4M3FNUZ, fp8.E4M3FNUZFromFloat32),
		encoder("EncodeE4M3FNUZSat", bytes8, EncodeE4M3FNUZSat, fp8.E4M3FNUZFromFloat32Sat),
		encoder("EncodeE5M2FNUZ", bytes8, EncodeE5M2FNUZ, fp8.E5M2FNUZFromFloat32),
		encoder("EncodeE5M2FNUZSat", bytes8, EncodeE5M2FNUZSat, fp8.E5M2FNUZFromFloat32Sat),
		encoder("EncodeE8M0", bytes8, EncodeE8M0, fp8.E8M0FromFloat32),
		encoder("EncodeE8M0Sat", bytes8, EncodeE8M0Sat, fp8.E8M0FromFloat32Sat),
		encoder("EncodeE2M1", bytes8, EncodeE2M1, fp4.E2M1FromFloat32),
		decoder("DecodeFloat16", f16, DecodeFloat16, float16.Float16.Float32),
		decoder("DecodeBFloat16", bf, DecodeBFloat16, bf16.BFloat16.Float32),
		decoder("DecodeE4M3FN", bytes8, DecodeE4M3FN, fp8.E4M3FN.Float32),
		decoder("DecodeE5M2", bytes8, DecodeE5M2, fp8.E5M2.Float32),
		decoder("DecodeE4M3FNUZ", bytes8, DecodeE4M3FNUZ, fp8.E4M3FNUZ.Float32),
		decoder("DecodeE5M2FNUZ", bytes8, DecodeE5M2FNUZ, fp8.E5M2FNUZ.Float32),
		decoder("DecodeE8M0", bytes8, DecodeE8M0, fp8.E8M0.Float32),
		decoder("DecodeE2M1", bytes8, DecodeE2M1, fp4.E2M1.Float32),
		{
			name:     "EncodeE2M1Pairs",
			operands: []operand{out("dst", bytes8, pairs), in("src", f32, elements)},
			flat:     true,
			fill: func(r *source, t *trial) {
				nearFloats(r, mem[float32](t, 1), t.grid, &FloatParams{Format: E2M1, Scale: unit(t.grid)})
			},
			run:    func(t *trial) { EncodeE2M1Pairs(mem[fp4.Pair](t, 0), mem[float32](t, 1)) },
			oracle: func(t *trial) { portableEncodePairs(mem[fp4.Pair](t, 0), mem[float32](t, 1)) },
		}, {
			name:     "DecodeE2M1Pairs",
			operands: []operand{out("dst", f32, elements), in("src", bytes8, pairs)},
			flat:     true,
			fill:     func(r *source, t *trial) { fillBytes(r, t.mem[1]) },
			run:      func(t *trial) { DecodeE2M1Pairs(mem[float32](t, 0), mem[fp4.Pair](t, 1)) },
			oracle:   func(t *trial) { portableDecodePairs(mem[float32](t, 0), mem[fp4.Pair](t, 1)) },
		},
	}
}

// unit are scales of 1.
func unit(g Grid) []float32 {
	s := make([]float32, g.Groups)
	for i := range s {
		s[i] = 1
	}
	return s
}

func encoder[D any](name string, e elem, slice func([]D, []float32), one func(float32) D) kernel {
	return kernel{
		name:     name,
		operands: []operand{out("dst", e, elements), in("src", f32, elements)},
		flat:     true,
		fill: func(r *source, t *trial) {
			x := mem[float32](t, 1)
			for i := range x {
				switch r.IntN(4) {
				case 0:
					near(r, &x[i], math.Ldexp(float64(2*r.IntN(256)+1), r.IntN(40)-30))
				case 1: // a float16, a bfloat16, or half-way to the next
					x[i] = neighbour(math.Float32frombits(r.Uint32()&^0xfff), r.IntN(7)-3)
				case 2:
					near(r, &x[i], 4*r.Float64()-2)
				default:
					x[i] = r.special()
				}
			}
		},
		run:    func(t *trial) { slice(mem[D](t, 0), mem[float32](t, 1)) },
		oracle: func(t *trial) { portableConvert(mem[D](t, 0), mem[float32](t, 1), one) },
	}
}

func decoder[S any](name string, e elem, slice func([]float32, []S), one func(S) float32) kernel {
	return kernel{
		name:     name,
		operands: []operand{out("dst", f32, elements), in("src", e, elements)},
		flat:     true,
		fill:     func(r *source, t *trial) { fillBytes(r, t.mem[1]) },
		run:      func(t *trial) { slice(mem[float32](t, 0), mem[S](t, 1)) },
		oracle:   func(t *trial) { portableConvert(mem[float32](t, 0), mem[S](t, 1), one) },
	}
}

package kernels

import (
	"fmt"
	"math"
)

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

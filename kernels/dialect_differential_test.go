package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
)

// floatMethods are all rules of dialects, with the formats to try each with.
var floatMethods = func() (rules []FloatRule) {
	add := func(d Dialect, s ScaleType, r ScaleRule, formats ...Format) {
		for _, f := range formats {
			rules = append(rules, FloatRule{Format: f, Dialect: d, Scales: s, Rule: r})
		}
	}
	add(Reference, ScaleAny, 0, E4M3FN, E2M1Packed, E3M2Packed)
	add(Reference, ScaleE8M0, 0, E5M2, E2M1)
	for rule := range scaleRulesEnd {
		add(TorchAO, ScaleE8M0, rule, E4M3FN, E5M2, E2M1Packed, E2M3, E3M2Packed)
	}
	add(TorchAO, ScaleE4M3FN, 0, E2M1Packed, E2M1)
	add(TorchAO, ScaleE4M3FNGlobal, 0, E2M1Packed, E2M1)
	add(ModelOpt, ScaleE8M0, 0, E2M1Packed, E2M1, E4M3FN)
	add(ModelOpt, ScaleE4M3FNGlobal, 0, E2M1Packed, E2M1)
	for _, d := range []Dialect{CompressedTensors, CompressedTensorsF32} {
		add(d, ScaleAny, 0, E4M3FN)
		add(d, ScaleE8M0, 0, E2M1Packed, E2M1, E4M3FN, E2M3)
		add(d, ScaleE4M3FNGlobal, 0, E2M1Packed, E2M1)
	}
	add(Transformers, ScaleAny, 0, E4M3FN)
	add(Transformers, ScaleE8M0, 0, E4M3FN)
	return rules
}()

// TestDialectsDiffer holds the dialects of every implementation against the portable one: groups of every
// kind of length, in which elements are next to where codes change, and wild.
func TestDialectsDiffer(t *testing.T) {
	for _, name := range assembled(t) {
		require.NoError(t, Use(name))
		for i, rule := range floatMethods {
			differFloats[float32](t, name, rule, uint64(3*i))
			differFloats[float16.Float16](t, name, rule, uint64(3*i+1))
			differFloats[bf16.BFloat16](t, name, rule, uint64(3*i+2))
		}
		for i, d := range []Dialect{CompressedTensors, CompressedTensorsF32, Torch} {
			differInts[float32](t, name, d, uint64(3*i))
			differInts[float16.Float16](t, name, d, uint64(3*i+1))
			differInts[bf16.BFloat16](t, name, d, uint64(3*i+2))
		}
	}
}

// dialectGrids have whole tiles, parts of them, several pieces of the L1 cache, and columns.
var dialectGrids = []Grid{{1, 40, 16}, {1, 9, 32}, {1, 300, 4}, {1, 1, 4100}, {1, 3, 700}, {4, 8, 1}, {2, 5, 20}}

func differFloats[T Float](t *testing.T, impl string, r FloatRule, seed uint64) {
	src := newSource(1000 + seed)
	for trial := range effort(len(dialectGrids), 4*len(dialectGrids), 100*len(dialectGrids)) {
		g := dialectGrids[trial%len(dialectGrids)]
		src.mood()
		n := elements(g)
		x := make([]T, n)
		unit := float32(math.Ldexp(1, src.IntN(17)-8))
		if src.IntN(4) == 0 {
			unit = float32(math.Ldexp(1, src.IntN(240)-120))
		}
		p := FloatParams{Format: r.Format, Scale: make([]float32, g.Groups)}
		for i := range p.Scale {
			p.Scale[i] = unit
			if src.IntN(2) == 0 {
				p.Scale[i] *= float32(1 + src.Float64())
			}
		}
		nearFloats(src, x, g, &p)
		for i := range src.IntN(4) { // a block of zeros, one next to it
			for k := i * g.Len; k < min(i*g.Len+g.Len, n); k++ {
				x[k] = rounded[T](neg)
			}
		}
		if src.IntN(2) == 0 { // tiny beside what is in the group
			x[src.IntN(n)] = fromBits[T](src.Uint32N(4) | uint32(src.IntN(2))<<31)
		}
		r.Scale, r.Factor = make([]float32, g.Groups), make([]float32, g.Groups)
		if r.Scales == ScaleE4M3FNGlobal {
			most := float32(0)
			for _, v := range x {
				if a := float32(math.Abs(float64(value(v)))); a <= math.MaxFloat32 {
					most = max(most, a)
				}
			}
			r.Global = GlobalScale[T](r.Dialect, most)
			if src.IntN(8) == 0 {
				r.Global = src.scale()
			}
		}
		where := fmt.Sprintf("%s: %v %v %v %v, %T, %+v, trial %d", impl, r.Dialect, r.Scales, r.Rule, r.Format, x, g, trial)

		want := r
		want.Scale, want.Factor = make([]float32, g.Groups), make([]float32, g.Groups)
		portableObserveFloat(x, g, &want)
		codes, wanted := make([]byte, r.Format.Bytes(n)), make([]byte, r.Format.Bytes(n))
		wp := want.params(0, g.Groups)
		portableQuantizeFloat(wanted, x, g, &wp)
		DynamicFloat(codes, x, g, &r)
		sameFloats(t, where+": scales", want.Scale, r.Scale)
		sameFloats(t, where+": factors", want.Factor, r.Factor)
		require.Equal(t, wanted, codes, "%s: observed and quantized", where)
		if !want.anyNaN() {
			clear(codes)
			QuantizeFloat(codes, x, g, &wp)
			require.Equal(t, wanted, codes, "%s: quantized", where)
		}
		if m := r.method(); !m.given() {
			wp.Factor = nil
			if src.IntN(3) == 0 && r.Scales == ScaleAny {
				src.scales(wp.Scale)
			}
			clear(codes)
			portableQuantizeFloat(wanted, x, g, &wp)
			QuantizeFloat(codes, x, g, &wp)
			require.Equal(t, wanted, codes, "%s: by scales alone", where)
		}
		differFakes(t, where, x, func(y []T, mask Mask, portable bool) {
			if portable {
				portableFakeQuantizeFloat(y, mask, x, g, &wp)
			} else {
				FakeQuantizeFloat(y, mask, x, g, &wp)
			}
		})
		y, back := make([]T, n), make([]T, n)
		portableDequantizeFloat(back, wanted, g, &wp)
		DequantizeFloat(y, wanted, g, &wp)
		sameFloats(t, where+": dequantized", back, y)
	}
}

// TestDialectsAtZero holds what is next to zero against the portable code: the product of two levels of a scale that is subnormal, factors
// of a scale that is zero, and quotients that are subnormal at the end of a range.
func TestDialectsAtZero(t *testing.T) {
	r := newSource(1200)
	g := Grid{1, 40, 16}
	n := elements(g)
	x, y, want := make([]float32, n), make([]float32, n), make([]float32, n)
	codes, wanted := make([]byte, n), make([]byte, n)
	for i := range x {
		x[i] = math.Float32frombits(uint32(r.IntN(2))<<31 | uint32(r.IntN(1<<r.IntN(24))))
	}
	for _, name := range assembled(t) {
		require.NoError(t, Use(name))
		for trial := range 200 {
			p := FloatParams{Format: E2M1, Scales: ScaleE4M3FNGlobal, Dialect: []Dialect{TorchAO, ModelOpt, CompressedTensors}[trial%3],
				Global: float32(math.Ldexp(1+r.Float64(), trial-149)), Scale: make([]float32, g.Groups)}
			for i := range p.Scale {
				p.Scale[i] = fp8.E4M3FN(r.IntN(127)).Float32()
			}
			for i := range codes {
				codes[i] = fp8.E4M3FNFromFloat32(float32(r.IntN(7) - 3)).Bits() // as E2M1 has codes of a byte
			}
			portableDequantizeFloat(want, codes, g, &p)
			DequantizeFloat(y, codes, g, &p)
			sameFloats(t, fmt.Sprintf("%s: %v, global %g", name, p.Dialect, p.Global), want, y)

			p.Format, p.Global, p.Dialect = E2M1Packed, 1, TorchAO
			if trial%2 == 0 {
				p.Scales = ScaleE4M3FN
			}
			portableQuantizeFloat(wanted[:n/2], x, g, &p)
			QuantizeFloat(codes[:n/2], x, g, &p)
			require.Equal(t, wanted[:n/2], codes[:n/2], "%s: %v", name, p.Scales)

			ints := IntParams{Format: Uint8, Max: 255, Dialect: []Dialect{CompressedTensors, CompressedTensorsF32}[trial%2], Scale: make([]float32, g.Groups)}
			for i := range ints.Scale {
				ints.Scale[i] = float32(1 + 2*r.Float64())
			}
			portableFakeQuantizeInt(want, ByteMask(wanted), x, g, &ints)
			FakeQuantizeInt(y, ByteMask(codes), x, g, &ints)
			sameFloats(t, name, want, y)
			require.Equal(t, wanted, codes, "%s: %v", name, ints.Dialect)
		}
	}
}

// TestZeroTimesInfinity holds what dialects make of zero where a group's factor is infinite, or zero to divide by: its code is the same with four
// bits and with a byte, and what a tensor is rounded to is the code's value.
func TestZeroTimesInfinity(t *testing.T) {
	x := make([]float32, 2*16)
	x[1], x[2], x[17], x[18] = 0x1p-140, neg, 0x1p-149, -0x1p-130
	g := Grid{1, 2, 16}
	for _, c := range []struct {
		p    FloatParams
		want float32
	}{
		{FloatParams{Dialect: TorchAO, Scales: ScaleE4M3FNGlobal, Global: 0x1p-140}, -1.5},
		{FloatParams{Dialect: TorchAO, Scales: ScaleE4M3FN, Global: 1}, -1.5},
		{FloatParams{Dialect: ModelOpt, Scales: ScaleE4M3FNGlobal, Global: 0x1p-149}, 6},
		{FloatParams{Dialect: ModelOpt, Scales: ScaleE4M3FNGlobal, Global: 1, Factor: []float32{0, 1}}, 6},
	} {
		p := c.p
		switch p.Scale = []float32{0x1p-9, 0x1p-6}; {
		case p.Factor != nil:
			p.Scale = []float32{1, 1}
		case p.Global == 1:
			p.Scale[0] = 0
		}
		forEachImplementation(t, func(t *testing.T) {
			packed, bytes, y := make([]byte, len(x)/2), make([]byte, len(x)), make([]float32, len(x))
			p.Format = E2M1Packed
			QuantizeFloat(packed, x, g, &p)
			FakeQuantizeFloat(y, Mask{}, x, g, &p)
			back := make([]float32, len(x))
			DequantizeFloat(back, packed, g, &p)
			sameFloats(t, fmt.Sprintf("%+v: fake-quantized", p), back, y)
			p.Format = E2M1
			QuantizeFloat(bytes, x, g, &p)
			for i := range x {
				four := packed[i/2] >> (i % 2 * 4) & 15
				require.Equal(t, e2m1Listed[four], bytes[i], "%+v: element %d", p, i)
			}
			require.Equal(t, c.want, fp8.E4M3FN(bytes[0]).Float32(), "%+v", p)
		})
	}
}

// anyNaN reports whether a scale is NaN: what codes are then is not specified.
func (r *FloatRule) anyNaN() bool {
	return slices.ContainsFunc(r.Scale, func(s float32) bool { return s != s })
}

// differFakes tries all masks.
func differFakes[T Float](t *testing.T, where string, x []T, fake func(y []T, mask Mask, portable bool)) {
	t.Helper()
	y, want := make([]T, len(x)), make([]T, len(x))
	for _, kind := range []func([]byte) Mask{ByteMask, BitMask, func([]byte) Mask { return NoMask }} {
		got, flags := make([]byte, len(x)), make([]byte, len(x))
		if kind(got).kind == bitMask {
			got, flags = got[:BitMaskLen(len(x))], flags[:BitMaskLen(len(x))]
		}
		fake(want, kind(flags), true)
		fake(y, kind(got), false)
		sameFloats(t, where+": fake-quantized", want, y)
		require.Equal(t, flags, got, "%s: mask", where)
	}
}

func differInts[T Float](t *testing.T, impl string, d Dialect, seed uint64) {
	src := newSource(2000 + seed)
	formats := []Format{Int8, Int4, Int2, Int6, Uint6, Int16, Uint16, Uint8}
	for trial := range effort(len(formats)*len(dialectGrids), 20*len(dialectGrids), 200*len(dialectGrids)) {
		g := dialectGrids[trial%len(dialectGrids)]
		src.mood()
		n := elements(g)
		p := IntParams{Format: formats[trial%len(formats)], Dialect: d, Scale: make([]float32, g.Groups)}
		p.Min, p.Max = p.Format.Range()
		src.scales(p.Scale)
		if src.IntN(2) == 0 {
			p.ZeroPoint = make([]int32, g.Groups)
			src.zeroPoints(p.ZeroPoint, p.Min, p.Max)
		}
		x := make([]T, n)
		nearInts(src, x, g, &p)
		where := fmt.Sprintf("%s: %v %v, %T, %+v, trial %d", impl, d, p.Format, x, g, trial)
		codes, wanted := make([]byte, p.Format.Bytes(n)), make([]byte, p.Format.Bytes(n))
		portableQuantizeInt(wanted, x, g, &p, p.Format)
		QuantizeInt(codes, x, g, &p)
		require.Equal(t, wanted, codes, where)
		differFakes(t, where, x, func(y []T, mask Mask, portable bool) {
			if portable {
				portableFakeQuantizeInt(y, mask, x, g, &p)
			} else {
				FakeQuantizeInt(y, mask, x, g, &p)
			}
		})
	}
}

// sameFloats wants the same bits, or two NaNs.
func sameFloats[T Float](t *testing.T, where string, want, got []T) {
	t.Helper()
	for i := range want {
		if w, v := value(want[i]), value(got[i]); bitsOf(want[i]) != bitsOf(got[i]) && (w == w || v == v) {
			t.Fatalf("%s: element %d is %v (%#x), want %v (%#x)", where, i, v, bitsOf(got[i]), w, bitsOf(want[i]))
		}
	}
}

// TestChooseAnyRange holds the scales that implementations choose against the portable ones for ranges of any size, also
// ones that a tensor of 16 bits has not.
func TestChooseAnyRange(t *testing.T) {
	for _, name := range assembled(t) {
		require.NoError(t, Use(name))
		for i, rule := range floatMethods {
			chooseAnyRange[float32](t, name, rule, uint64(3*i))
			chooseAnyRange[float16.Float16](t, name, rule, uint64(3*i+1))
			chooseAnyRange[bf16.BFloat16](t, name, rule, uint64(3*i+2))
		}
	}
}

func chooseAnyRange[T Float](t *testing.T, impl string, r FloatRule, seed uint64) {
	src := newSource(3000 + seed)
	const n = 150
	r.Global = 2
	for trial := range 4 {
		low, high := make([]float32, n), make([]float32, n)
		for i := range high {
			high[i] = float32(math.Ldexp(1+src.Float64(), []int{src.IntN(30) - 20, src.IntN(270) - 150}[trial%2]))
			low[i] = -high[i] * float32(src.Float64())
		}
		if trial > 1 {
			high[src.IntN(n)] = 0
			high[src.IntN(n)] = float32(math.Inf(1))
		}
		want := r
		want.Scale, want.Factor = make([]float32, n), make([]float32, n)
		r.Scale, r.Factor = make([]float32, n), make([]float32, n)
		portableChooseFloat[T](&want, low, high)
		ChooseFloat[T](&r, low, high)
		where := fmt.Sprintf("%s: %v %v %v %v, %T, trial %d", impl, r.Dialect, r.Scales, r.Rule, r.Format, *new(T), trial)
		sameFloats(t, where+": scales", want.Scale, r.Scale)
		sameFloats(t, where+": factors", want.Factor, r.Factor)
	}
}

// TestChooseAtTurns holds the scales that implementations choose against the portable ones, for the
// magnitudes beside each at which the byte of a scale changes, and the formats that have them.
func TestChooseAtTurns(t *testing.T) {
	for _, name := range assembled(t) {
		require.NoError(t, Use(name))
		for _, rule := range floatMethods {
			m := rule.method()
			var most []float32
			for field := range uint32(254) {
				turn := uint32(1) // the first magnitude that has another byte, of those with the exponent
				if tables := exponentsOf(&m, rule.Format); tables != nil {
					turn = tables.of[field].last&(1<<23-1) + 1
				}
				for d := range uint32(7) {
					most = append(most, math.Float32frombits(field<<23|(turn+d-3)&(1<<23-1)), math.Float32frombits(field<<23|(turn<<7+d*0x249249)&(1<<23-1)))
				}
			}
			most = append(most, 0, math.MaxFloat32, inf)
			for _, global := range []float32{0x1p-20, 0.0123, 0x1p-59, 1000} {
				rule.Global = global
				rule.Scale, rule.Factor = make([]float32, len(most)), make([]float32, len(most))
				want := rule
				want.Scale, want.Factor = make([]float32, len(most)), make([]float32, len(most))
				low := make([]float32, len(most))
				portableChooseFloat[float32](&want, low, most)
				ChooseFloat[float32](&rule, low, most)
				where := fmt.Sprintf("%s: %v %v %v %v, global %v", name, rule.Dialect, rule.Scales, rule.Rule, rule.Format, global)
				sameFloats(t, where+": scales", want.Scale, rule.Scale)
				sameFloats(t, where+": factors", want.Factor, rule.Factor)
				if rule.Scales != ScaleE4M3FNGlobal {
					break
				}
			}
		}
	}
}

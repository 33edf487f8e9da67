package kernels

import (
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
)

// TestSmall makes calls with one group or a few, ordinary ones, odd ones and mistakes, the
// small way and the long way: results are the same, and so is what they panic with.
func TestSmall(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("float32, int8", testSmall[float32, int8])
		t.Run("float32, uint8", testSmall[float32, uint8])
		t.Run("float32, int16", testSmall[float32, int16])
		t.Run("float16, uint8", testSmall[float16.Float16, uint8])
		t.Run("bfloat16, int8", testSmall[bf16.BFloat16, int8])
	})
}

// TestSmallFloat is TestSmall of reading codes of float formats.
func TestSmallFloat(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("float32, uint8", testSmallFloat[float32, uint8])
		t.Run("float32, E5M2", testSmallFloat[float32, fp8.E5M2])
		t.Run("bfloat16, uint8", testSmallFloat[bf16.BFloat16, uint8])
	})
}

func testSmallFloat[T Float, C FloatCode](t *testing.T) {
	was := productLen
	defer setProductLen(was)
	r := newSource(15)
	ordinary := 0
	calls := effort(600, 2000, 100_000)
	for range calls {
		var a smallArena
		c, scale := newSmallCall(r), smallScale(r)
		for i, bytes := 0, view4(a[:]); i < len(bytes); i++ {
			bytes[i] = byte(r.IntN(256))
		}
		a[c.scale] = scale
		c.otherScales(r, &a)
		p := FloatParams{Format: Format(r.IntN(int(formatsEnd) + 1))}
		if r.IntN(4) == 0 {
			p.Format = E5M2
		}
		switch r.IntN(12) {
		case 0:
			p.Dialect, p.Scales = Dialect(r.IntN(int(dialectsEnd)+1)), ScaleType(r.IntN(4))
		case 1:
			p.Rule = ScaleRule(r.IntN(int(scaleRulesEnd) + 1))
		case 2:
			p.Global = 3
		}
		if p.Format > 0 && p.Format < formatsEnd && r.IntN(4) > 0 {
			c.codes = p.Format.Bytes(c.codes)
		}
		quantize := r.IntN(2) == 0
		call := func(a *smallArena) (panicked any) {
			bytes := view4(a[:])
			p := p
			p.Scale = slices.Clip(a[c.scale:][:c.scales])
			if c.minval > 0 {
				p.Factor = slices.Clip(a[800:][:c.minval])
			}
			x, q := view[T](bytes[c.at:])[:c.numbers], view[C](bytes[c.codesAt:])[:c.codes]
			defer func() { panicked = recover() }()
			if quantize {
				QuantizeFloat(q, x, c.grid(), &p)
			} else {
				DequantizeFloat(x, q, c.grid(), &p)
			}
			return nil
		}
		long, short := a, a
		setProductLen(0)
		wantPanic := call(&long)
		setProductLen(was)
		gotPanic := call(&short)
		require.Equal(t, wantPanic, gotPanic, "%+v %+v", c, p)
		require.Negative(t, differ(int32s, view4(short[:]), view4(long[:])), "%+v %+v", c, p)
		if gotPanic == nil && c.n > 0 {
			ordinary++
		}
	}
	assert.Greater(t, ordinary, calls/64, "calls that are no mistake")
}

func testSmall[T Float, C IntCode](t *testing.T) {
	was := productLen
	defer setProductLen(was)
	r := newSource(14)
	ordinary := 0
	calls := effort(600, 2000, 100_000)
	for range calls {
		var a smallArena
		c := newSmallCall(r)
		scale := smallScale(r)
		for i := range a {
			a[i] = float32(300*r.Float64()-150) * scale
		}
		for i, x := 0, view[T](view4(a[c.at/4:][:100])); i < 100; i++ {
			x[i] = rounded[T](float32(300*r.Float64()-150) * scale)
		}
		a[c.scale] = scale
		c.otherScales(r, &a)
		zeros := r.IntN(3) == 0
		for i := range c.groups + 1 {
			if a.int32s()[c.zeroPoint+i] = int32(c.params.Min); zeros {
				a.int32s()[c.zeroPoint+i] = 0
			}
		}
		if r.IntN(8) == 0 {
			a.int32s()[c.zeroPoint+r.IntN(c.groups)] = []int32{int32(c.params.Min) - 1, int32(c.params.Max) + 1}[r.IntN(2)]
		}
		for _, call := range []func(*smallArena, smallCall) any{
			smallQuantize[T, C], smallDequantize[T, C], smallFakeQuantize[T, C], smallObserve[T, C], smallChoose[T, C], smallDynamic[T, C],
		} {
			long, short := a, a
			setProductLen(0)
			wantPanic := call(&long, c)
			setProductLen(was)
			gotPanic := call(&short, c)
			require.Equal(t, wantPanic, gotPanic, "%+v", c)
			require.Negative(t, differ(int32s, view4(short[:]), view4(long[:])), "%+v", c)
			if gotPanic == nil && c.n > 0 && c.params.Format <= Uint8 {
				ordinary++
			}
		}
	}
	if unsafe.Sizeof(*new(C)) == 1 {
		assert.Greater(t, ordinary, calls/8, "calls that are no mistake")
	}
}

// smallArena is memory for a call, so that its parts can be made to overlap.
type smallArena [1024]float32

func (a *smallArena) int32s() []int32 { return view[int32](view4(a[:])) }

// smallCall is a call with few groups: places in an arena, and parameters without their slices.
type smallCall struct {
	n, rows, groups       int // of the grid
	numbers, codes        int // lengths
	at, codesAt           int // bytes
	scale, zeroPoint      int
	scales, zeros, minval int // lengths; those of 0 stand for nil
	params                IntParams
}

// smallRanges are ranges of codes; the last five are none that is ordinary.
var smallRanges = []IntParams{
	{Min: -128, Max: 127}, {Min: -128, Max: 127}, {Min: -8, Max: 7}, {Min: -2, Max: 1}, {Min: 0, Max: 255}, {Min: 0, Max: 255}, {Min: 0, Max: 15}, {Min: 0, Max: 3},
	{Min: 3, Max: 3}, {}, {Min: 1, Max: -1}, {Min: -1, Max: 200}, {Min: 0, Max: 256},
}

func newSmallCall(r *source) smallCall {
	rarely := func() int {
		if r.IntN(12) == 0 {
			return 1
		}
		return 0
	}
	c := smallCall{n: r.IntN(100), rows: 1, groups: 1, at: 64, codesAt: 2048 + r.IntN(64), scale: 960, zeroPoint: 880, minval: max(rarely(), rarely(), rarely())}
	if r.IntN(2) == 0 {
		c.groups = 1 + r.IntN(40)
		if r.IntN(2) == 0 {
			c.rows = 1 + r.IntN(3)
		}
		c.n = c.rows * c.groups * (1 + c.n/c.groups)
	}
	c.scales = c.groups + rarely()
	c.numbers, c.codes = c.n+rarely(), c.n+rarely()
	if r.IntN(3) == 0 {
		c.zeros = c.groups + rarely()
	}
	c.params = smallRanges[r.IntN(len(smallRanges))]
	c.params.Format = []Format{0, 0, Int8, Int8, Uint8, Uint8, Int4, Uint4, Int2, Uint2, E5M2, 99}[r.IntN(12)]
	if f := c.params.Format; f >= Int4 && f <= Uint2 && r.IntN(4) > 0 {
		c.codes = f.Bytes(c.codes)
	}
	if r.IntN(8) == 0 {
		c.params.Dialect = []Dialect{CompressedTensors, CompressedTensorsF32, Torch, 99}[r.IntN(4)]
	}
	switch r.IntN(20) {
	case 0:
		c.codesAt = c.at + r.IntN(100) // among the numbers, or beside them
	case 1:
		c.scale = c.codesAt/4 + r.IntN(30)
	case 2:
		c.zeroPoint = c.codesAt/4 + r.IntN(30)
	case 3:
		c.scale = c.at/4 + r.IntN(100)
	}
	return c
}

func (c smallCall) grid() Grid {
	return Grid{Rows: c.rows, Groups: c.groups, Len: c.n / c.groups / c.rows}
}

// otherScales are those behind the first: mostly ordinary ones, all of them.
func (c smallCall) otherScales(r *source, a *smallArena) {
	odd := r.IntN(4) == 0
	for i := 1; i < c.groups; i++ {
		if a[c.scale+i] = float32(r.Float64()); odd {
			a[c.scale+i] = smallScale(r)
		}
	}
}

// smallScale is mostly an ordinary scale.
func smallScale(r *source) float32 {
	if r.IntN(4) == 0 {
		return []float32{0, -1, inf, nan, 0x1p-81, 0x1p-80, 0x1p100, 0x1p101, math.SmallestNonzeroFloat32}[r.IntN(9)]
	}
	return float32(r.Float64())
}

// operands are the call's in an arena.
func smallOperands[T Float, C IntCode](a *smallArena, c smallCall) (x []T, q []C, g Grid, p *IntParams) {
	bytes := view4(a[:])
	own := c.params
	p = &own
	p.Scale = slices.Clip(a[c.scale:][:c.scales])
	if c.zeros > 0 {
		p.ZeroPoint = a.int32s()[c.zeroPoint:][:c.zeros]
	}
	if c.minval > 0 {
		p.Minval = a[800+c.scale%3:][:c.minval]
	}
	return view[T](bytes[c.at:])[:c.numbers], view[C](bytes[c.codesAt:])[:c.codes], c.grid(), p
}

// smallQuantize makes the call, and returns what it panicked with.
func smallQuantize[T Float, C IntCode](a *smallArena, c smallCall) (panicked any) {
	x, q, g, p := smallOperands[T, C](a, c)
	defer func() { panicked = recover() }()
	QuantizeInt(q, x, g, p)
	return nil
}

func smallDequantize[T Float, C IntCode](a *smallArena, c smallCall) (panicked any) {
	x, q, g, p := smallOperands[T, C](a, c)
	defer func() { panicked = recover() }()
	DequantizeInt(x, q, g, p)
	return nil
}

// smallRule is a rule for the call, which writes where its parameters are.
func smallRule[C IntCode](a *smallArena, c smallCall) *IntRule {
	_, _, _, p := smallOperands[float32, C](a, c)
	r := &IntRule{Format: p.Format, Min: p.Min, Max: p.Max, Dialect: p.Dialect, Scale: p.Scale, ZeroPoint: p.ZeroPoint, Minval: p.Minval}
	r.Asymmetric, r.ByMinval, r.Scales = c.codesAt&1 > 0, c.codesAt&2 > 0, ScaleType(max(0, c.codesAt&31-26))
	if c.codesAt&60 == 0 {
		r.Minval = r.Scale
	}
	return r
}

func smallObserve[T Float, C IntCode](a *smallArena, c smallCall) (panicked any) {
	x, _, g, _ := smallOperands[T, C](a, c)
	defer func() { panicked = recover() }()
	ObserveInt(x, g, smallRule[C](a, c))
	return nil
}

func smallChoose[T Float, C IntCode](a *smallArena, c smallCall) (panicked any) {
	low, high := a[c.at/4:][:c.groups], a[c.codesAt/4:][:c.groups]
	defer func() { panicked = recover() }()
	ChooseInt[T](smallRule[C](a, c), low, high)
	return nil
}

func smallDynamic[T Float, C IntCode](a *smallArena, c smallCall) (panicked any) {
	x, q, g, _ := smallOperands[T, C](a, c)
	defer func() { panicked = recover() }()
	DynamicInt(q, x, g, smallRule[C](a, c))
	return nil
}

// smallFakeQuantize writes in place, or to where codes would be, and a mask of each kind beside that, or onto it.
func smallFakeQuantize[T Float, C IntCode](a *smallArena, c smallCall) (panicked any) {
	x, _, g, p := smallOperands[T, C](a, c)
	y, flags := x, view4(a[c.codesAt/4:])
	if c.codesAt%3 == 0 {
		y, flags = view[T](flags)[:len(x)], flags[(400+c.n)&^3:]
	}
	if c.zeros > 1 && c.codesAt%5 == 0 {
		y = y[:len(y)/2]
	}
	mask := []Mask{NoMask, ByteMask(flags[:c.codes]), BitMask(flags[:BitMaskLen(c.codes)])}[c.codesAt%7%3]
	defer func() { panicked = recover() }()
	FakeQuantizeInt(y, mask, x, g, p)
	return nil
}

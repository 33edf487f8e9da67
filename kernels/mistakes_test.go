package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

// workbench is one allocation with everything that a call needs, so that parts of it can be made to overlap.
type workbench struct {
	all              [96]float32
	x, y, scale, min []float32
	minval           []float32
	zero             []int32
	mask, q          []byte
	signed           []int8
}

const (
	benchLen    = 12
	benchGroups = 3
)

func newWorkbench() *workbench {
	w := new(workbench)
	for i := range w.all {
		w.all[i] = 1
	}
	w.x, w.y = w.all[0:12:12], w.all[16:28:28]
	w.scale, w.minval, w.min = w.all[32:35:35], w.all[36:39:39], w.all[40:43:43]
	w.zero = view[int32](view4(w.all[44:47]))
	clear(w.zero)
	w.mask = view4(w.all[48:51:51])
	w.q = view4(w.all[52:55:55])
	w.signed = view[int8](w.q)
	return w
}

func (w *workbench) int() *IntParams { return &IntParams{Min: -8, Max: 7, Scale: w.scale} }

// packed are the parameters of codes that lie in bytes as a format says.
func (w *workbench) packed(f Format, min, max int) *IntParams {
	return &IntParams{Format: f, Min: min, Max: max, Scale: w.scale}
}

func (w *workbench) float() *FloatParams { return &FloatParams{Format: E4M3FN, Scale: w.scale} }

func (w *workbench) intRule() *IntRule {
	return &IntRule{Min: -8, Max: 7, Asymmetric: true, Scale: w.scale, ZeroPoint: w.zero, Minval: w.minval}
}

func (w *workbench) packedRule(f Format) *IntRule {
	r := w.intRule()
	r.Format = f
	return r
}

var benchGrid = Grid{1, benchGroups, 4}

// TestMistakes makes every mistake that is found, and sees that nothing was written.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		want string
		call func(w *workbench)
	}{
		// Lengths.
		{"FakeQuantizeInt: len(dst)=11, want 12", func(w *workbench) { FakeQuantizeInt(w.y[:11], NoMask, w.x, benchGrid, w.int()) }},
		{"FakeQuantizeInt: len(src)=11, want 12", func(w *workbench) { FakeQuantizeInt(w.y[:11], NoMask, w.x[:11], benchGrid, w.int()) }},
		{"FakeQuantizeInt: len(mask)=11, want 12", func(w *workbench) { FakeQuantizeInt(w.y, ByteMask(w.mask[:11]), w.x, benchGrid, w.int()) }},
		{"FakeQuantizeInt: len(mask)=12, want 2", func(w *workbench) { FakeQuantizeInt(w.y, BitMask(w.mask), w.x, benchGrid, w.int()) }},
		{"FakeQuantizeInt: len(mask)=0, want 12", func(w *workbench) { FakeQuantizeInt(w.y, ByteMask(nil), w.x, benchGrid, w.int()) }},
		{"FakeQuantizeInt: len(Scale)=2, want 3", func(w *workbench) {
			FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.scale[:2]})
		}},
		{"QuantizeInt: len(ZeroPoint)=2, want 3", func(w *workbench) {
			QuantizeInt(w.q, w.x, benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.scale, ZeroPoint: w.zero[:2]})
		}},
		{"QuantizeInt: len(ZeroPoint)=0, want 3", func(w *workbench) {
			QuantizeInt(w.q, w.x, benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.scale, ZeroPoint: []int32{}})
		}},
		{"QuantizeInt: len(Minval)=2, want 3", func(w *workbench) {
			QuantizeInt(w.q, w.x, benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.scale, Minval: w.minval[:2]})
		}},
		{"QuantizeInt: len(dst)=11, want 12", func(w *workbench) { QuantizeInt(w.signed[:11], w.x, benchGrid, w.int()) }},
		{"DequantizeInt: len(dst)=11, want 12", func(w *workbench) { DequantizeInt(w.y[:11], w.signed, benchGrid, w.int()) }},
		{"DequantizeInt: len(src)=11, want 12", func(w *workbench) { DequantizeInt(w.y, w.signed[:11], benchGrid, w.int()) }},
		{"QuantizeInt: len(dst)=12, want 6", func(w *workbench) { QuantizeInt(w.q, w.x, benchGrid, w.packed(Int4, -8, 7)) }},
		{"QuantizeInt: len(src)=11, want 12", func(w *workbench) { QuantizeInt(w.q[:6], w.x[:11], benchGrid, w.packed(Int4, -8, 7)) }},
		{"QuantizeInt: len(Scale)=2, want 3", func(w *workbench) {
			QuantizeInt(w.q[:3], w.x, benchGrid, &IntParams{Format: Uint2, Min: 0, Max: 3, Scale: w.scale[:2]})
		}},
		{"DequantizeInt: len(src)=6, want 3", func(w *workbench) {
			DequantizeInt(w.y, w.q[:6], benchGrid, w.packed(Int2, -2, 1))
		}},
		{"DequantizeInt: len(dst)=11, want 12", func(w *workbench) { DequantizeInt(w.y[:11], w.q[:6], benchGrid, w.packed(Int4, -8, 7)) }},
		{"FakeQuantizeFloat: len(Scale)=2, want 3", func(w *workbench) {
			FakeQuantizeFloat(w.y, NoMask, w.x, benchGrid, &FloatParams{Format: E5M2, Scale: w.scale[:2]})
		}},
		{"QuantizeFloat: len(dst)=12, want 6", func(w *workbench) {
			QuantizeFloat(w.q, w.x, benchGrid, &FloatParams{Format: E2M1Packed, Scale: w.scale})
		}},
		{"QuantizeFloat: len(dst)=6, want 12", func(w *workbench) { QuantizeFloat(w.q[:6], w.x, benchGrid, &FloatParams{Format: E2M1, Scale: w.scale}) }},
		{"DequantizeFloat: len(src)=12, want 6", func(w *workbench) {
			DequantizeFloat(w.y, w.q, benchGrid, &FloatParams{Format: E2M1Packed, Scale: w.scale})
		}},
		{"DequantizeFloat: len(dst)=11, want 12", func(w *workbench) { DequantizeFloat(w.y[:11], w.q, benchGrid, w.float()) }},
		{"Backward: len(dx)=11, want 12", func(w *workbench) { Backward(w.y[:11], w.x, ByteMask(w.mask)) }},
		{"Backward: len(mask)=1, want 2", func(w *workbench) { Backward(w.y, w.x, BitMask(w.mask[:1])) }},
		{"MinMax: len(min)=2, want 3", func(w *workbench) { MinMax(w.min[:2], w.minval, w.x, benchGrid) }},
		{"MinMax: len(max)=2, want 3", func(w *workbench) { MinMax(w.min, w.minval[:2], w.x, benchGrid) }},
		{"ChooseInt: len(high)=2, want 3", func(w *workbench) { ChooseInt[float32](w.intRule(), w.min, w.min[:2]) }},
		{"ChooseInt: len(Scale)=3, want 2", func(w *workbench) { ChooseInt[float32](w.intRule(), w.min[:2], w.min[:2]) }},
		{"ChooseFloat: len(high)=2, want 3", func(w *workbench) {
			ChooseFloat[float32](&FloatRule{Format: E5M2, Scale: w.scale}, w.min, w.min[:2])
		}},
		{"ObserveInt: len(src)=11, want 12", func(w *workbench) { ObserveInt(w.x[:11], benchGrid, w.intRule()) }},
		{"ObserveInt: len(ZeroPoint)=0, want 3", func(w *workbench) {
			r := w.intRule()
			r.ZeroPoint = nil
			ObserveInt(w.x, benchGrid, r)
		}},
		{"ObserveInt: len(Minval)=0, want 3", func(w *workbench) {
			ObserveInt(w.x, benchGrid, &IntRule{Min: -8, Max: 7, ByMinval: true, Scale: w.scale})
		}},
		{"ObserveFloat: len(Scale)=2, want 3", func(w *workbench) {
			ObserveFloat(w.x, benchGrid, &FloatRule{Format: E5M2, Scale: w.scale[:2]})
		}},
		{"DynamicInt: len(dst)=11, want 12", func(w *workbench) { DynamicInt(w.signed[:11], w.x, benchGrid, w.intRule()) }},
		{"DynamicInt: len(ZeroPoint)=2, want 3", func(w *workbench) {
			DynamicInt(w.q, w.x, benchGrid, &IntRule{Min: 0, Max: 1, Scale: w.scale, ZeroPoint: w.zero[:2]})
		}},
		{"DynamicInt: len(Minval)=2, want 3", func(w *workbench) {
			DynamicInt(w.signed, w.x, benchGrid, &IntRule{Min: -8, Max: 7, Scale: w.scale, Minval: w.minval[:2]})
		}},
		{"DynamicInt: len(dst)=12, want 6", func(w *workbench) { DynamicInt(w.q, w.x, benchGrid, w.packedRule(Int4)) }},
		{"DynamicFloat: len(dst)=12, want 6", func(w *workbench) {
			DynamicFloat(w.q, w.x, benchGrid, &FloatRule{Format: E2M1Packed, Scales: ScaleE8M0, Scale: w.scale})
		}},
		{"Pack: len(dst)=5, want 6", func(w *workbench) { Pack(w.mask[:5], w.q[:11], Int4) }},
		{"Pack: len(dst)=2, want 3", func(w *workbench) { Pack(w.mask[:2], w.signed[:9], Uint2) }},
		{"Unpack: len(src)=5, want 6", func(w *workbench) { Unpack(w.q[:11], w.mask[:5], Uint4) }},
		{"Unpack: len(src)=12, want 3", func(w *workbench) { Unpack(w.signed, w.mask, Int2) }},
		{"EncodeFloat16: len(dst)=1, want 12", func(w *workbench) { EncodeFloat16(make([]float16.Float16, 1), w.x) }},
		{"DecodeE8M0: len(dst)=12, want 2", func(w *workbench) { DecodeE8M0(w.y, make([]fp8.E8M0, 2)) }},
		{"EncodeE2M1Pairs: len(dst)=5, want 6", func(w *workbench) { EncodeE2M1Pairs(view[fp4.Pair](w.q[:5]), w.x) }},
		{"DecodeE2M1Pairs: len(src)=5, want 6", func(w *workbench) { DecodeE2M1Pairs(w.y, view[fp4.Pair](w.q[:5])) }},

		// Grids.
		{"FakeQuantizeInt: {Rows:-1 Groups:-3 Len:4} is negative", func(w *workbench) { FakeQuantizeInt(w.y, NoMask, w.x, Grid{-1, -3, 4}, w.int()) }},
		{"QuantizeFloat: len(src)=12, want 13", func(w *workbench) { QuantizeFloat(w.q, w.x, Grid{1, 1, 13}, w.float()) }},
		{fmt.Sprintf("QuantizeFloat: %+v has more elements than an int can count", Grid{math.MaxInt, 4, 1}), func(w *workbench) { QuantizeFloat(w.q, w.x, Grid{math.MaxInt, 4, 1}, w.float()) }},
		{fmt.Sprintf("QuantizeFloat: %+v has more elements than an int can count", Grid{4, 1, math.MaxInt}), func(w *workbench) { QuantizeFloat(w.q, w.x, Grid{4, 1, math.MaxInt}, w.float()) }},
		{fmt.Sprintf("QuantizeFloat: %+v has more elements than an int can count", Grid{2, 1, math.MaxInt}), func(w *workbench) { QuantizeFloat(w.q, w.x, Grid{2, 1, math.MaxInt}, w.float()) }},
		{"MinMax: {Rows:0 Groups:3 Len:4} has groups without elements", func(w *workbench) { MinMax(w.min, w.minval, nil, Grid{0, 3, 4}) }},
		{"MinMax: {Rows:1 Groups:3 Len:0} has groups without elements", func(w *workbench) { MinMax(w.min, w.minval, nil, Grid{1, 3, 0}) }},
		{"ObserveInt: {Rows:0 Groups:3 Len:4} has groups without elements", func(w *workbench) { ObserveInt[float32](nil, Grid{0, 3, 4}, w.intRule()) }},
		{"ObserveFloat: {Rows:1 Groups:3 Len:0} has groups without elements", func(w *workbench) {
			ObserveFloat[float32](nil, Grid{1, 3, 0}, &FloatRule{Format: E5M2, Scale: w.scale})
		}},
		{"DynamicInt: {Rows:0 Groups:3 Len:4} has groups without elements", func(w *workbench) { DynamicInt[int8, float32](nil, nil, Grid{0, 3, 4}, w.intRule()) }},
		{"DynamicFloat: {Rows:0 Groups:3 Len:4} has groups without elements", func(w *workbench) {
			DynamicFloat[byte, float32](nil, nil, Grid{0, 3, 4}, &FloatRule{Format: E5M2, Scale: w.scale})
		}},

		// Parameters.
		{"FakeQuantizeInt: Min and Max are 0, want the least and the greatest code", func(w *workbench) {
			FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Scale: w.scale})
		}},
		{"QuantizeInt: Min and Max are 0", func(w *workbench) { QuantizeInt(w.q, w.x, benchGrid, w.packed(Uint8, 0, 0)) }},
		{"DequantizeInt: Min and Max are 0", func(w *workbench) { DequantizeInt(w.y, w.q, benchGrid, &IntParams{}) }},
		{"DynamicInt: Min and Max are 0", func(w *workbench) { DynamicInt(w.q, w.x, benchGrid, &IntRule{Scale: w.scale}) }},
		{"FakeQuantizeInt: codes 8..7, want", func(w *workbench) {
			FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Min: 8, Max: 7, Scale: w.scale})
		}},
		{"FakeQuantizeInt: codes -32769..7, want", func(w *workbench) {
			FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Min: -32769, Max: 7, Scale: w.scale})
		}},
		{"FakeQuantizeInt: codes 0..65536, want", func(w *workbench) {
			FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Min: 0, Max: 65536, Scale: w.scale})
		}},
		{"FakeQuantizeInt: codes -1..32768, want", func(w *workbench) {
			FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Min: -1, Max: 32768, Scale: w.scale})
		}},
		{"QuantizeInt: codes -8..7 do not fit into Uint8", func(w *workbench) { QuantizeInt(w.q, w.x, benchGrid, w.int()) }},
		{"QuantizeInt: codes 0..128 do not fit into Int8", func(w *workbench) {
			QuantizeInt(w.signed, w.x, benchGrid, &IntParams{Min: 0, Max: 128, Scale: w.scale})
		}},
		{"DequantizeInt: codes -8..7 do not fit into Uint8", func(w *workbench) { DequantizeInt(w.y, w.q, benchGrid, w.int()) }},
		{"QuantizeInt: codes -8..7 do not fit into Uint4", func(w *workbench) { QuantizeInt(w.q[:6], w.x, benchGrid, w.packed(Uint4, -8, 7)) }},
		{"QuantizeInt: codes 0..4 do not fit into Uint2", func(w *workbench) {
			QuantizeInt(w.q[:3], w.x, benchGrid, w.packed(Uint2, 0, 4))
		}},
		{"DequantizeInt: codes -8..7 do not fit into Int2", func(w *workbench) { DequantizeInt(w.y, w.q[:3], benchGrid, w.packed(Int2, -8, 7)) }},
		{"DequantizeInt: unknown Format(99)", func(w *workbench) { DequantizeInt(w.y, w.q[:3], benchGrid, w.packed(99, -8, 7)) }},
		{"ChooseInt: codes 7..7, want", func(w *workbench) { ChooseInt[float32](&IntRule{Min: 7, Max: 7, Scale: w.scale}, w.min, w.min) }},
		{"ObserveInt: codes 1..7, want", func(w *workbench) { ObserveInt(w.x, benchGrid, &IntRule{Min: 1, Max: 7, Scale: w.scale}) }},
		{"ObserveInt: codes -7..-1, want", func(w *workbench) { ObserveInt(w.x, benchGrid, &IntRule{Min: -7, Max: -1, Scale: w.scale}) }},
		{"ObserveInt: codes -8..32768, want", func(w *workbench) { ObserveInt(w.x, benchGrid, &IntRule{Min: -8, Max: 32768, Scale: w.scale}) }},
		{"DynamicInt: codes -8..7 do not fit into Uint8", func(w *workbench) { DynamicInt(w.q, w.x, benchGrid, w.intRule()) }},
		{"DynamicInt: codes -8..7 do not fit into Int2", func(w *workbench) { DynamicInt(w.q[:3], w.x, benchGrid, w.packedRule(Int2)) }},
		{"DynamicInt: unknown Format(99)", func(w *workbench) { DynamicInt(w.q[:3], w.x, benchGrid, w.packedRule(99)) }},
		{"DynamicFloat: unknown Format(99)", func(w *workbench) {
			DynamicFloat(w.q, w.x, benchGrid, &FloatRule{Format: 99, Scales: ScaleE8M0, Scale: w.scale})
		}},
		{"FakeQuantizeInt: codes -8..7 do not fit into Uint4", func(w *workbench) { FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, w.packed(Uint4, -8, 7)) }},
		{"ObserveInt: codes -8..7 do not fit into Int2", func(w *workbench) { ObserveInt(w.x, benchGrid, w.packedRule(Int2)) }},

		// Formats of another kind, or that the slice cannot hold. The length is right for the one meant.
		{"QuantizeInt: codes of Int4 do not lie in []int8, want []byte", func(w *workbench) { QuantizeInt(w.signed[:6], w.x, benchGrid, w.packed(Int4, -8, 7)) }},
		{"DequantizeInt: codes of Uint8 do not lie in []int8, want []byte", func(w *workbench) { DequantizeInt(w.y, w.signed, benchGrid, w.packed(Uint8, 0, 7)) }},
		{"QuantizeInt: E2M1Packed is a float format, want an integer format", func(w *workbench) { QuantizeInt(w.q[:6], w.x, benchGrid, w.packed(E2M1Packed, -8, 7)) }},
		{"DynamicInt: E5M2 is a float format", func(w *workbench) { DynamicInt(w.q, w.x, benchGrid, w.packedRule(E5M2)) }},
		{"QuantizeFloat: Int4 is an integer format, want a float format", func(w *workbench) { QuantizeFloat(w.q[:6], w.x, benchGrid, &FloatParams{Format: Int4, Scale: w.scale}) }},
		{"DequantizeFloat: unknown Format(0)", func(w *workbench) { DequantizeFloat(w.y, w.q, benchGrid, &FloatParams{Scale: w.scale}) }},
		{"DynamicFloat: Uint8 is an integer format", func(w *workbench) {
			DynamicFloat(w.q, w.x, benchGrid, &FloatRule{Format: Uint8, Scale: w.scale})
		}},
		{"QuantizeFloat: codes of E5M2 do not lie in []fp8.E4M3FN", func(w *workbench) {
			QuantizeFloat(view[fp8.E4M3FN](w.q), w.x, benchGrid, &FloatParams{Format: E5M2, Scale: w.scale})
		}},
		{"DequantizeFloat: codes of E2M1 do not lie in []fp8.E5M2", func(w *workbench) {
			DequantizeFloat(w.y, view[fp8.E5M2](w.q), benchGrid, &FloatParams{Format: E2M1, Scale: w.scale})
		}},
		{"DynamicFloat: codes of E4M3FN do not lie in []fp4.Pair", func(w *workbench) {
			DynamicFloat(view[fp4.Pair](w.q[:6]), w.x, benchGrid, &FloatRule{Format: E4M3FN, Scale: w.scale})
		}},
		{"Pack: codes of Int8 are not packed", func(w *workbench) { Pack(w.mask, w.q, Int8) }},
		{"Unpack: E2M1Packed is a float format", func(w *workbench) { Unpack(w.q, w.mask[:6], E2M1Packed) }},
		{"Unpack: unknown Format(99)", func(w *workbench) { Unpack(w.q, w.mask[:6], 99) }},

		{"FakeQuantizeInt: both ZeroPoint and Minval", func(w *workbench) {
			FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.scale, ZeroPoint: w.zero, Minval: w.minval})
		}},
		{"FakeQuantizeInt: ZeroPoint[2]=8, want -8..7", func(w *workbench) {
			p := w.int()
			p.ZeroPoint = []int32{0, 7, 8}
			FakeQuantizeInt(w.y, ByteMask(w.mask), w.x, benchGrid, p)
		}},
		{"FakeQuantizeFloat: unknown Format(99)", func(w *workbench) {
			FakeQuantizeFloat(w.y, NoMask, w.x, benchGrid, &FloatParams{Format: 99, Scale: w.scale})
		}},
		{"QuantizeFloat: unknown Format(255)", func(w *workbench) { QuantizeFloat(w.q, w.x, benchGrid, &FloatParams{Format: 255, Scale: w.scale}) }},

		// Overlap.
		{"FakeQuantizeInt: dst overlaps src", func(w *workbench) { FakeQuantizeInt(w.all[1:13], NoMask, w.x, benchGrid, w.int()) }},
		{"FakeQuantizeInt: dst overlaps src", func(w *workbench) { FakeQuantizeInt(w.all[56:68], NoMask, w.all[67:79], benchGrid, w.int()) }},
		{"FakeQuantizeInt: mask overlaps src", func(w *workbench) {
			FakeQuantizeInt(w.y[:4], ByteMask(view4(w.x[11:])), w.x[8:], Grid{1, 1, 4}, &IntParams{Min: 0, Max: 1, Scale: w.scale[:1]})
		}},
		{"FakeQuantizeInt: mask overlaps src", func(w *workbench) {
			FakeQuantizeInt(w.y, ByteMask(view4(w.x[:3])), w.x, benchGrid, w.int())
		}},
		{"FakeQuantizeInt: mask overlaps dst", func(w *workbench) {
			FakeQuantizeInt(w.y, BitMask(view4(w.y[11:])[2:]), w.x, benchGrid, w.int())
		}},
		{"FakeQuantizeInt: dst overlaps Scale", func(w *workbench) {
			FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.y[:3]})
		}},
		{"FakeQuantizeInt: mask overlaps Scale", func(w *workbench) {
			FakeQuantizeInt(w.y, ByteMask(view4(w.scale)), w.x, benchGrid, w.int())
		}},
		{"FakeQuantizeInt: dst overlaps ZeroPoint", func(w *workbench) {
			p := w.int()
			p.ZeroPoint = w.zero
			FakeQuantizeInt(w.all[36:48], NoMask, w.x, benchGrid, p)
		}},
		{"FakeQuantizeInt: mask overlaps Minval", func(w *workbench) {
			FakeQuantizeInt(w.y, BitMask(view4(w.minval)[10:]), w.x, benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.scale, Minval: w.minval})
		}},
		{"QuantizeInt: dst overlaps src", func(w *workbench) { QuantizeInt(view[int8](view4(w.x[:3])), w.x, benchGrid, w.int()) }},
		{"QuantizeInt: dst overlaps Scale", func(w *workbench) { QuantizeInt(view[int8](view4(w.scale)), w.x, benchGrid, w.int()) }},
		{"QuantizeInt: dst overlaps src", func(w *workbench) { QuantizeInt(view4(w.x[10:])[:6], w.x, benchGrid, w.packed(Int4, -8, 7)) }},
		{"QuantizeInt: dst overlaps Scale", func(w *workbench) { QuantizeInt(view4(w.scale)[:6], w.x, benchGrid, w.packed(Int4, -8, 7)) }},
		{"DequantizeInt: dst overlaps src", func(w *workbench) { DequantizeInt(w.all[42:54], w.q[:6], benchGrid, w.packed(Int4, -8, 7)) }},
		{"DequantizeInt: dst overlaps Scale", func(w *workbench) { DequantizeInt(w.all[34:46], w.q[:6], benchGrid, w.packed(Int4, -8, 7)) }},
		{"DequantizeInt: dst overlaps src", func(w *workbench) { DequantizeInt(w.all[42:54], w.signed, benchGrid, w.int()) }},
		{"DequantizeInt: dst overlaps Scale", func(w *workbench) { DequantizeInt(w.all[34:46], w.signed, benchGrid, w.int()) }},
		{"QuantizeFloat: dst overlaps src", func(w *workbench) { QuantizeFloat(view4(w.x[9:]), w.x, benchGrid, w.float()) }},
		{"QuantizeFloat: dst overlaps Scale", func(w *workbench) { QuantizeFloat(view4(w.scale), w.x, benchGrid, w.float()) }},
		{"DequantizeFloat: dst overlaps src", func(w *workbench) { DequantizeFloat(w.all[42:54], w.q, benchGrid, w.float()) }},
		{"FakeQuantizeFloat: dst overlaps src", func(w *workbench) { FakeQuantizeFloat(w.all[1:13], NoMask, w.x, benchGrid, w.float()) }},
		{"FakeQuantizeFloat: mask overlaps Scale", func(w *workbench) { FakeQuantizeFloat(w.y, ByteMask(view4(w.scale)), w.x, benchGrid, w.float()) }},
		{"Backward: dx overlaps dy", func(w *workbench) { Backward(w.all[1:13], w.x, ByteMask(w.mask)) }},
		{"Backward: dx overlaps mask", func(w *workbench) { Backward(w.all[40:52], w.x, ByteMask(w.mask)) }},
		{"MinMax: min overlaps max", func(w *workbench) { MinMax(w.min, w.min, w.x, benchGrid) }},
		{"MinMax: min overlaps src", func(w *workbench) { MinMax(w.x[:3], w.min, w.x, benchGrid) }},
		{"MinMax: max overlaps src", func(w *workbench) { MinMax(w.min, w.x[9:], w.x, benchGrid) }},
		{"ChooseInt: Scale overlaps low", func(w *workbench) { ChooseInt[float32](w.intRule(), w.scale, w.min) }},
		{"ChooseInt: Minval overlaps high", func(w *workbench) { ChooseInt[float32](w.intRule(), w.min, w.minval) }},
		{"ChooseFloat: Scale overlaps high", func(w *workbench) {
			ChooseFloat[float32](&FloatRule{Format: E5M2, Scale: w.scale}, w.min, w.scale)
		}},
		{"ObserveInt: Scale overlaps Minval", func(w *workbench) {
			ObserveInt(w.x, benchGrid, &IntRule{Min: -8, Max: 7, Scale: w.scale, Minval: w.scale})
		}},
		{"ObserveInt: Minval overlaps src", func(w *workbench) {
			ObserveInt(w.x, benchGrid, &IntRule{Min: -8, Max: 7, Scale: w.scale, Minval: w.x[:3]})
		}},
		{"ObserveFloat: Scale overlaps src", func(w *workbench) {
			ObserveFloat(w.x, benchGrid, &FloatRule{Format: E5M2, Scale: w.x[9:]})
		}},
		{"DynamicInt: dst overlaps src", func(w *workbench) { DynamicInt(view[int8](view4(w.x[:3])), w.x, benchGrid, w.intRule()) }},
		{"DynamicInt: ZeroPoint overlaps dst", func(w *workbench) { DynamicInt(view[int8](view4(w.all[44:47])), w.x, benchGrid, w.intRule()) }},
		{"DynamicInt: Minval overlaps dst", func(w *workbench) {
			DynamicInt(view4(w.minval)[:6], w.x, benchGrid, w.packedRule(Int4))
		}},
		{"DynamicFloat: Scale overlaps dst", func(w *workbench) {
			DynamicFloat(view4(w.scale), w.x, benchGrid, &FloatRule{Format: E5M2, Scale: w.scale})
		}},
		{"Pack: dst overlaps src", func(w *workbench) { Pack(w.q[6:], w.q, Int4) }},
		{"Unpack: dst overlaps src", func(w *workbench) { Unpack(w.q, w.q[:3], Int2) }},
		{"EncodeE5M2: dst overlaps src", func(w *workbench) { EncodeE5M2(view[fp8.E5M2](view4(w.x[:3])), w.x) }},
		{"DecodeE5M2: dst overlaps src", func(w *workbench) { DecodeE5M2(w.x, view[fp8.E5M2](view4(w.x[:3]))) }},
		{"EncodeE2M1Pairs: dst overlaps src", func(w *workbench) { EncodeE2M1Pairs(view[fp4.Pair](view4(w.x[:2])[2:]), w.x) }},
		{"DecodeE2M1Pairs: dst overlaps src", func(w *workbench) { DecodeE2M1Pairs(w.x, view[fp4.Pair](view4(w.x[:2])[2:])) }},
	} {
		w := newWorkbench()
		before := w.all
		got := func() (v any) {
			defer func() { v = recover() }()
			c.call(w)
			return nil
		}()
		assert.Contains(t, got, "kernels: "+c.want)
		assert.Equal(t, before, w.all, "%s: something was written", c.want)
	}
}

// What looks like a mistake and is none.
func TestNoMistakes(t *testing.T) {
	w := newWorkbench()
	FakeQuantizeInt(w.x, BitMask(w.mask[:2]), w.x, benchGrid, w.int())
	FakeQuantizeFloat(w.x, NoMask, w.x, benchGrid, w.float())
	Backward(w.x, w.x, ByteMask(w.mask))
	// Neighbours.
	FakeQuantizeInt(w.all[60:72], ByteMask(view4(w.all[72:75])), w.all[48:60], benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.all[75:78]})
	// Parameters that are only read may be anywhere.
	FakeQuantizeInt(w.y, NoMask, w.x, benchGrid, &IntParams{Min: 0, Max: 1, Scale: w.x[:3], Minval: w.x[1:4]})

	// Nothing at all.
	for _, g := range []Grid{{}, {0, 3, 4}, {5, 0, 4}, {5, 3, 0}, {math.MaxInt, math.MaxInt, 0}, {0, 3, math.MaxInt}} {
		if g.Groups > 3 {
			g.Groups = 3
		}
		p := &IntParams{Min: -8, Max: 7, Scale: w.scale[:g.Groups], ZeroPoint: w.zero[:g.Groups]}
		FakeQuantizeInt(w.y[:0], ByteMask(nil), nil, g, p)
		FakeQuantizeFloat(nil, BitMask(nil), w.x[:0], g, &FloatParams{Format: E2M1, Scale: p.Scale})
		QuantizeInt([]int8(nil), w.x[:0], g, p)
		DequantizeInt[float32, int8](nil, nil, g, p)
		p.Format = Int4
		QuantizeInt([]byte(nil), w.x[:0], g, p)
		DequantizeInt[float32, byte](nil, nil, g, p)
		QuantizeFloat([]fp4.Pair(nil), w.x[:0], g, &FloatParams{Format: E2M1Packed, Scale: p.Scale})
		DequantizeFloat[float32, fp4.Pair](nil, nil, g, &FloatParams{Format: E2M1Packed, Scale: p.Scale})
	}
	MinMax[float32](nil, nil, nil, Grid{1, 0, 3})
	ChooseInt[float32](&IntRule{Min: 0, Max: 1}, nil, nil)
	ObserveInt[float32](nil, Grid{1, 0, 3}, &IntRule{Min: 0, Max: 15})
	DynamicInt[uint8, float32](nil, nil, Grid{0, 0, 3}, &IntRule{Min: 0, Max: 15})
	DynamicFloat[byte, float32](nil, nil, Grid{1, 0, 3}, &FloatRule{Format: E5M2})
	Backward[float32](nil, nil, BitMask(nil))
	Pack[int8](nil, nil, Int4)
	Unpack[int8](nil, nil, Int2)
	EncodeFloat16(nil, nil)
	DecodeE2M1Pairs(nil, nil)
}

func TestBitMaskLen(t *testing.T) {
	for n, want := range []int{0, 1, 1, 1, 1, 1, 1, 1, 1, 2} {
		assert.Equal(t, want, BitMaskLen(n))
	}
	assert.Equal(t, math.MaxInt/8+1, BitMaskLen(math.MaxInt))
	assert.Equal(t, math.MaxInt/2+1, E2M1Packed.Bytes(math.MaxInt))
	assert.Equal(t, math.MaxInt/4+1, Uint2.Bytes(math.MaxInt))
}

func TestFormat(t *testing.T) {
	for f := Int8; f < formatsEnd; f++ {
		assert.NotEmpty(t, f.String())
		assert.NotContains(t, f.String(), "Format", "format %d has no name", f)
	}
	assert.Equal(t, "Uint4", Uint4.String())
	assert.Equal(t, "E2M1Packed", E2M1Packed.String())
	assert.Equal(t, "Format(0)", Format(0).String())
	assert.Equal(t, "Format(99)", Format(99).String())
	for f, want := range map[Format][2]int{Int8: {-128, 127}, Uint8: {0, 255}, Int4: {-8, 7}, Uint4: {0, 15}, Int2: {-2, 1}, Uint2: {0, 3}, Int6: {-32, 31}, Uint6: {0, 63}, Int16: {-32768, 32767}, Uint16: {0, 65535}} {
		least, most := f.Range()
		assert.Equal(t, want, [2]int{least, most}, "%v", f)
		assert.Equal(t, float32(most), f.Max(), "%v", f)
	}
	assert.PanicsWithValue(t, "kernels: Format.Range: E5M2 is a float format, want an integer format", func() { E5M2.Range() })
	assert.PanicsWithValue(t, "kernels: Format: unknown Format(0)", func() { Format(0).Bytes(1) })
	assert.Equal(t, []float32{448, 57344, 6, 6}, []float32{E4M3FN.Max(), E5M2.Max(), E2M1.Max(), E2M1Packed.Max()})
}

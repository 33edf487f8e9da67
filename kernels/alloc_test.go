package kernels

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

// TestAllocations calls every function with buffers that are local arrays: if
// one escaped, or a call allocated, it would be counted.
func TestAllocations(t *testing.T) {
	const n = 66
	forEachImplementation(t, func(t *testing.T) {
		zero := func(name string, f func()) {
			assert.Zero(t, testing.AllocsPerRun(5, f), name)
		}
		tensorAllocations[float32](zero)
		tensorAllocations[float16.Float16](zero)
		tensorAllocations[bf16.BFloat16](zero)
		zero("Pack", func() {
			var codes [n]int8
			var nibbles [n / 2]byte
			var crumbs [(n + 3) / 4]byte
			Pack(nibbles[:], codes[:], Int4)
			Unpack(codes[:], nibbles[:], Uint4)
			Pack(crumbs[:], codes[:], Uint2)
			Unpack(codes[:], crumbs[:], Int2)
		})
		zero("Least", func() {
			const candidates = 3
			var x [RowsAtOnce * Columns]float32
			var scale [candidates * Columns]float32
			for _, norm := range []Norm{Norm2, Norm2Half} {
				var best Best
				LeastInt(&best, x[:], nil, &IntParams{Min: -8, Max: 7, Scale: scale[:]}, norm)
				LeastFloat(&best, x[:], x[:], &FloatParams{Format: E4M3FN, Scale: scale[:]}, norm)
			}
		})
		zero("Float16", func() {
			var x [n]float32
			var q [n]float16.Float16
			EncodeFloat16(q[:], x[:])
			DecodeFloat16(x[:], q[:])
		})
		zero("BFloat16", func() {
			var x [n]float32
			var q [n]bf16.BFloat16
			EncodeBFloat16(q[:], x[:])
			DecodeBFloat16(x[:], q[:])
		})
		zero("E4M3FN", func() {
			var x [n]float32
			var q [n]fp8.E4M3FN
			EncodeE4M3FN(q[:], x[:])
			EncodeE4M3FNSat(q[:], x[:])
			DecodeE4M3FN(x[:], q[:])
		})
		zero("E5M2", func() {
			var x [n]float32
			var q [n]fp8.E5M2
			EncodeE5M2(q[:], x[:])
			EncodeE5M2Sat(q[:], x[:])
			DecodeE5M2(x[:], q[:])
		})
		zero("E4M3FNUZ", func() {
			var x [n]float32
			var q [n]fp8.E4M3FNUZ
			EncodeE4M3FNUZ(q[:], x[:])
			EncodeE4M3FNUZSat(q[:], x[:])
			DecodeE4M3FNUZ(x[:], q[:])
		})
		zero("E5M2FNUZ", func() {
			var x [n]float32
			var q [n]fp8.E5M2FNUZ
			EncodeE5M2FNUZ(q[:], x[:])
			EncodeE5M2FNUZSat(q[:], x[:])
			DecodeE5M2FNUZ(x[:], q[:])
		})
		zero("E8M0", func() {
			var x [n]float32
			var q [n]fp8.E8M0
			EncodeE8M0(q[:], x[:])
			EncodeE8M0Sat(q[:], x[:])
			DecodeE8M0(x[:], q[:])
		})
		zero("E2M1", func() {
			var x [n]float32
			var q [n]fp4.E2M1
			EncodeE2M1(q[:], x[:])
			DecodeE2M1(x[:], q[:])
		})
		zero("E2M1Pairs", func() {
			var x [n]float32
			var q [n / 2]fp4.Pair
			EncodeE2M1Pairs(q[:], x[:])
			DecodeE2M1Pairs(x[:], q[:])
		})
	})
}

// oneEach makes scales that need no division.
func oneEach(scale []float32) {
	for i := range scale {
		scale[i] = 1
	}
}

func tensorAllocations[T Float](zero func(name string, f func())) {
	const n, groups = 880, 40 // more than a small buffer prepares
	g := Grid{2, groups, 11}
	zero("FakeQuantizeInt", func() {
		var x, y [n]T
		var scale, minval [groups]float32
		oneEach(scale[:])
		var z [groups]int32
		var mask, bits [n]byte
		FakeQuantizeInt(y[:], ByteMask(mask[:]), x[:], g, &IntParams{Min: -8, Max: 7, Scale: scale[:], ZeroPoint: z[:]})
		FakeQuantizeInt(y[:], BitMask(bits[:BitMaskLen(n)]), x[:], g, &IntParams{Min: -8, Max: 7, Scale: scale[:], Minval: minval[:]})
		FakeQuantizeInt(y[:], NoMask, y[:], g, &IntParams{Min: -8, Max: 7, Scale: scale[:]})
	})
	zero("FakeQuantizeFloat", func() {
		var x, y [n]T
		var scale [groups]float32
		oneEach(scale[:])
		var mask, bits [n]byte
		FakeQuantizeFloat(y[:], ByteMask(mask[:]), x[:], g, &FloatParams{Format: E4M3FN, Scale: scale[:]})
		FakeQuantizeFloat(y[:], BitMask(bits[:BitMaskLen(n)]), x[:], g, &FloatParams{Format: E2M1, Scale: scale[:]})
	})
	zero("QuantizeInt", func() {
		var x [n]T
		var scale, minval [groups]float32
		oneEach(scale[:])
		var z [groups]int32
		var signed [n]int8
		var unsigned [n]uint8
		QuantizeInt(signed[:], x[:], g, &IntParams{Min: -8, Max: 7, Scale: scale[:], ZeroPoint: z[:]})
		DequantizeInt(x[:], signed[:], g, &IntParams{Min: -8, Max: 7, Scale: scale[:], ZeroPoint: z[:]})
		QuantizeInt(unsigned[:], x[:], g, &IntParams{Min: 0, Max: 15, Scale: scale[:], Minval: minval[:]})
		DequantizeInt(x[:], unsigned[:], g, &IntParams{Min: 0, Max: 15, Scale: scale[:], Minval: minval[:]})
	})
	zero("long groups", func() {
		const n = 2048
		var x [n]T
		var q [n]int8
		var codes [n]byte
		scale, z := [1]float32{1}, [1]int32{3}
		DequantizeInt(x[:], q[:], Grid{1, 1, n}, &IntParams{Min: -8, Max: 7, Scale: scale[:], ZeroPoint: z[:]})
		DequantizeFloat(x[:], codes[:], Grid{1, 1, n}, &FloatParams{Format: E4M3FN, Scale: scale[:]})
	})
	zero("packed integers", func() {
		var x [n]T
		var scale, minval [groups]float32
		oneEach(scale[:])
		var q [n]byte
		for f := Int4; f <= Uint2; f++ {
			least, most := f.Range()
			for _, g := range []Grid{g, {11, groups, 2}, {22, groups, 1}} {
				p := IntParams{Format: f, Min: least, Max: most, Scale: scale[:], Minval: minval[:]}
				QuantizeInt(q[:f.Bytes(n)], x[:], g, &p)
				DequantizeInt(x[:], q[:f.Bytes(n)], g, &p)
			}
		}
	})
	zero("QuantizeFloat", func() {
		var x [n]T
		var scale [groups]float32
		oneEach(scale[:])
		var q [n]byte
		QuantizeFloat(q[:], x[:], g, &FloatParams{Format: E5M2, Scale: scale[:]})
		DequantizeFloat(x[:], q[:], g, &FloatParams{Format: E5M2, Scale: scale[:]})
		QuantizeFloat(q[:n/2], x[:], g, &FloatParams{Format: E2M1Packed, Scale: scale[:]})
		DequantizeFloat(x[:], q[:n/2], g, &FloatParams{Format: E2M1Packed, Scale: scale[:]})
	})
	zero("Backward", func() {
		var dy, dx [n]T
		var mask [n]byte
		Backward(dx[:], dy[:], ByteMask(mask[:]))
		Backward(dx[:], dx[:], BitMask(mask[:BitMaskLen(n)]))
		Backward(dx[:], dy[:], NoMask)
	})
	zero("MinMax", func() {
		var x [n]T
		var lo, hi [groups]T
		MinMax(lo[:], hi[:], x[:], g)
	})
	zero("Int rules", func() {
		var x [n]T
		var scale, minval, low, high [groups]float32
		var z [groups]int32
		var signed [n]int8
		r := IntRule{Min: -8, Max: 7, Asymmetric: true, Scale: scale[:], ZeroPoint: z[:], Minval: minval[:]}
		ChooseInt[T](&r, low[:], high[:])
		ObserveInt(x[:], g, &r)
		DynamicInt(signed[:], x[:], g, &r)
		DynamicInt(signed[:], x[:], Grid{1, groups, n / groups}, &r)
		var packed [n / 2]byte
		r.Format = Int4
		DynamicInt(packed[:], x[:], g, &r)
		DynamicInt(packed[:], x[:], Grid{1, groups, n / groups}, &r)
	})
	zero("Float rules", func() {
		var x [n]T
		var scale, low, high [groups]float32
		var q [n / 2]byte
		r := FloatRule{Format: E2M1Packed, Scales: ScaleE8M0, Scale: scale[:]}
		ChooseFloat[T](&r, low[:], high[:])
		ObserveFloat(x[:], g, &r)
		DynamicFloat(q[:], x[:], g, &r)
		DynamicFloat(q[:], x[:], Grid{1, groups, n / groups}, &r)
	})
	zero("two levels", func() {
		var x [n]T
		var scale [groups]float32
		oneEach(scale[:])
		var q [n / 2]byte
		for _, dialect := range []Dialect{TorchAO, ModelOpt, CompressedTensors} {
			p := FloatParams{Format: E2M1Packed, Dialect: dialect, Scales: ScaleE4M3FNGlobal, Global: 3, Scale: scale[:]}
			g := Grid{1, groups, n / groups}
			QuantizeFloat(q[:], x[:], g, &p)
			DequantizeFloat(x[:], q[:], g, &p)
			FakeQuantizeFloat(x[:], NoMask, x[:], g, &p)
		}
	})
}

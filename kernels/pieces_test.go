package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
)

// TestPieces runs grids that are cut into several calls of assembly: groups
// longer than a call may be, and longer than the pieces in which bits that do
// not begin at a byte are made.
func TestPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, g := range []Grid{{2, 3, 4099}, {1, 2, mostElements/2 + 6}, {1, 1, mostElements + 77}, {2, 2100, 257}, {3, 700, 1}, {1, 2100, 33}} {
		n := g.Rows * g.Groups * g.Len
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		p := &IntParams{Min: -8, Max: 7, Scale: make([]float32, g.Groups), ZeroPoint: make([]int32, g.Groups)}
		for i := range p.Scale {
			p.Scale[i], p.ZeroPoint[i] = random.Float32()/2, int32(random.IntN(16))-8
		}
		results := func(impl isa) []any {
			y, bytes, bits := make([]float32, n), make([]byte, n), make([]byte, BitMaskLen(n))
			codes, back := make([]byte, n), make([]float32, n)
			fakeQuantizeInt(impl, y, BitMask(bits), x, g, p)
			fakeQuantizeInt(impl, y, ByteMask(bytes), x, g, p)
			quantizeInt(impl, codes, x, g, p, Int8)
			dequantizeInt(impl, back, codes, g, p, Int8)
			var packed [6][]byte
			var unpacked [6][]float32
			for i, f := range packedFormats {
				p := &IntParams{Scale: p.Scale}
				p.Min, p.Max = f.Range()
				packed[i], unpacked[i] = make([]byte, f.Bytes(n)), make([]float32, n)
				quantizeInt(impl, packed[i], x, g, p, f)
				dequantizeInt(impl, unpacked[i], packed[i], g, p, f)
			}
			nibbles, crumbs, uncrumbed := make([]byte, Int4.Bytes(n)), make([]byte, Int2.Bytes(n)), make([]byte, n)
			pack(impl, nibbles, codes, Int4)
			pack(impl, crumbs, codes, Int2)
			unpack(impl, uncrumbed, crumbs, Int2)
			floats, small, large := make([]float32, n), make([]byte, E2M1Packed.Bytes(n)), make([]float32, n)
			floatBits := make([]byte, BitMaskLen(n))
			fakeQuantizeFloat(impl, floats, BitMask(floatBits), x, g, &FloatParams{Format: E4M3FN, Scale: p.Scale})
			quantizeFloat(impl, small, x, g, &FloatParams{Format: E2M1Packed, Scale: p.Scale})
			dequantizeFloat(impl, large, small, g, &FloatParams{Format: E2M1Packed, Scale: p.Scale})
			dx, least, most := make([]float32, n), make([]float32, g.Groups), make([]float32, g.Groups)
			backward(impl, dx, x, BitMask(bits))
			minMax(impl, least, most, x, g)
			low, high := IntRule{Min: -8, Max: 7}, IntRule{Min: 0, Max: 15, Asymmetric: true}
			for _, r := range []*IntRule{&low, &high} {
				r.Scale, r.ZeroPoint, r.Minval = make([]float32, g.Groups), make([]int32, g.Groups), make([]float32, g.Groups)
			}
			mx := &FloatRule{Format: E2M1Packed, Scales: ScaleE8M0, Scale: make([]float32, g.Groups)}
			chosen, own, shared := make([]byte, n), make([]byte, n), make([]byte, E2M1Packed.Bytes(n))
			dynamicInt(impl, chosen, x, g, &low, Int8)
			dynamicInt(impl, own, x, g, &high, Uint8)
			dynamicFloat(impl, shared, x, g, mx)
			halves := make([]byte, Uint4.Bytes(n))
			dynamicInt(impl, halves, x, g, &high, Uint4)
			return []any{packed[0], packed[1], packed[2], packed[3], packed[4], packed[5], unpacked[0], unpacked[1], unpacked[2], unpacked[3], unpacked[4], unpacked[5], nibbles, crumbs, uncrumbed,
				y, bits, bytes, codes, back, floats, floatBits, small, large, dx, least, most, chosen, own, shared, halves,
				low.Scale, low.ZeroPoint, low.Minval, high.Scale, high.ZeroPoint, high.Minval, mx.Scale}
		}
		want := results(generic)
		forEachImplementation(t, func(t *testing.T) {
			if current() == generic {
				t.Skip("what the others are held against")
			}
			for i, got := range results(current()) {
				require.True(t, sameSlice(want[i], got), "%+v, result %d", g, i)
			}
			defer SetStreaming(SetStreaming(0))
			for i, got := range results(current()) {
				require.True(t, sameSlice(want[i], got), "streamed, %+v, result %d", g, i)
			}
		})
	}
}

// sameSlice compares slices of the types that kernels write, which reflection would take long for.
func sameSlice(a, b any) bool {
	switch a := a.(type) {
	case []float32:
		return slices.Equal(a, b.([]float32))
	case []int32:
		return slices.Equal(a, b.([]int32))
	}
	return slices.Equal(a.([]byte), b.([]byte))
}

// TestLongConversions converts more than a call of assembly may.
func TestLongConversions(t *testing.T) {
	const n = mostElements + 33
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%1000) / 8
	}
	forEachImplementation(t, func(t *testing.T) {
		e, b, y := make([]fp8.E4M3FN, n), make([]bf16.BFloat16, n), make([]float32, n)
		EncodeE4M3FN(e, x)
		EncodeBFloat16(b, x)
		DecodeBFloat16(y, b)
		for i, v := range x {
			if e[i] != fp8.E4M3FNFromFloat32(v) || b[i] != bf16.FromFloat32(v) || y[i] != b[i].Float32() {
				t.Fatalf("element %d, %v: %v, %v, %v", i, v, e[i], b[i], y[i])
			}
		}
	})
}

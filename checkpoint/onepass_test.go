package checkpoint

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/guard"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// guarded are n elements at the end of readable memory.
func guarded[E element](n int) []E {
	size := n * int(unsafe.Sizeof(*new(E)))
	b := guard.Bytes(size)
	return unsafe.Slice((*E)(unsafe.Pointer(&b[len(b)-size])), n)
}

// inOnePass calls f for the implementation that makes 16 bits of codes in one pass.
func inOnePass(t *testing.T, f func()) {
	before := kernels.Implementation()
	defer func() { require.NoError(t, kernels.Use(before)) }()
	for _, name := range kernels.Implementations() {
		if require.NoError(t, kernels.Use(name)); isa.Current() == asm.AVX2 {
			f()
		}
	}
}

// wantedOf rounds float32 by the portable code.
func wantedOf[T kernels.Float](t *testing.T, wide []float32) []T {
	before := kernels.Implementation()
	require.NoError(t, kernels.Use("generic"))
	want := make([]T, len(wide))
	narrow(want, wide)
	require.NoError(t, kernels.Use(before))
	return want
}

// Every code of fewer than eight bits with every zero point and scales of every kind has the bits of the formula, whether a kernel takes it or not.
func TestDequantizeBits(t *testing.T) {
	inOnePass(t, func() {
		for _, bits := range []int{1, 3, 5, 6, 7} {
			holdDequantizeBits[float16.Float16](t, bits, safetensors.BF16)
			holdDequantizeBits[bf16.BFloat16](t, bits, safetensors.BF16)
			holdDequantizeBits[float16.Float16](t, bits, safetensors.F16)
			holdDequantizeBits[bf16.BFloat16](t, bits, safetensors.F16)
		}
	})
}

func holdDequantizeBits[T kernels.Float](t *testing.T, bits int, dtype safetensors.DType) {
	l := &grouped{form: formBits, bits: bits}
	l.scale.Stored = Stored{Info: &safetensors.Info{DType: dtype}}
	scaleOf := func() float32 {
		if dtype == safetensors.F16 {
			return float16.Frombits(uint16(1 + rand.N(0x7bff))).Float32()
		}
		return bf16.FromBits(uint16(0x80 + rand.N(0x7280))).Float32() // from 2^-126 to 2^103
	}
	for _, g := range []kernels.Grid{{Rows: 1, Groups: 1 << bits, Len: max(16, 2<<bits)}, {Rows: 1, Groups: 5, Len: 48}, {Rows: 3, Groups: 2, Len: 16}, {Rows: 1, Groups: 1, Len: 4096}} {
		n := g.Rows * g.Groups * g.Len
		p := params{scale: make([]float32, g.Groups), zero: make([]int32, g.Groups)}
		for i := range p.scale {
			p.scale[i], p.zero[i] = scaleOf(), int32(i&(1<<bits-1))
		}
		codes, wide := make([]int, n), make([]float32, n)
		for i := range codes {
			if codes[i] = rand.N(1 << bits); g.Len == 2<<bits {
				codes[i] = i & (1<<bits - 1)
			}
			group := i / g.Len % g.Groups
			wide[i] = float32(int32(codes[i])-p.zero[group]) * p.scale[group]
		}
		stream := guarded[uint8](n*bits/8 + 16 - 2*bits)
		for i, word := range bitStream(codes, bits) {
			for j := range min(4, n*bits/8-4*i) {
				stream[4*i+j] = uint8(word >> (8 * j))
			}
		}
		got := guarded[T](n)
		require.True(t, dequantizeBits(l, got, stream, g, p))
		require.Equal(t, wantedOf[T](t, wide), got, "%d bits, %v", bits, g)
	}
	p, g := params{scale: []float32{1, 1}, zero: []int32{0, 1}}, kernels.Grid{Rows: 1, Groups: 2, Len: 32}
	for _, bad := range []float32{0, negativeZero, -1, 0x1p-127, 0x1p104, float32(math.Inf(1)), nan, -nan} {
		p.scale[1] = bad
		require.False(t, dequantizeBits(l, make([]T, 64), make([]uint8, 64+16), g, p), "%v", bad)
	}
}

// Rows of bytes whose products are multiplied once more have the bits of the formula.
func TestDequantizeTwice(t *testing.T) {
	inOnePass(t, func() {
		holdDequantizeTwice[float16.Float16](t)
		holdDequantizeTwice[bf16.BFloat16](t)
	})
}

func holdDequantizeTwice[T kernels.Float](t *testing.T) {
	for _, cols := range []int{16, 256, 1008} {
		const rows = 100
		scale, codes, wide := make([]float32, rows), guarded[int8](rows*cols), make([]float32, rows*cols)
		for r := range scale {
			scale[r] = math.Float32frombits(uint32(8)<<23 + rand.Uint32N(222<<23)) // from 2^-119 to 2^103
			if r%2 == 0 {
				scale[r] = math.Float32frombits(uint32(112)<<23 + rand.Uint32N(30<<23)) // where those of float16 are
			}
			for c := range cols {
				codes[r*cols+c] = int8(c + r)
				wide[r*cols+c] = float32(float32(int8(c+r))*scale[r]) * over127[0]
			}
		}
		got := guarded[T](rows * cols)
		require.True(t, dequantizeTwice(got, codes, scale, cols, over127[0]))
		require.Equal(t, wantedOf[T](t, wide), got, "%d columns", cols)
		for _, bad := range []float32{0, negativeZero, -1, 0x1p-120, 0x1p104, float32(math.Inf(1)), nan, -nan} {
			scale[rows-1] = bad
			require.False(t, dequantizeTwice(got, codes, scale, cols, over127[0]), "%v", bad)
		}
		require.False(t, dequantizeTwice(got[:17], codes[:17], scale[:1], 17, over127[0]))
	}
}

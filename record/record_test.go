package record

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
)

// The bytes of two vectors by hand: a quotient that is a tie, both ends, and zero.
func TestBytes(t *testing.T) {
	x := []float32{-127, 63.5, 0.5, 1.5, 0, 0, 0, 0}
	for _, c := range []struct {
		code Code
		want []byte
	}{
		{Int8, []byte{
			0, 0, 0x80, 0x3F, 0, 0, 0, 0, 0x81, 64, 0, 2,
			0, 0, 0, 0x34, 0, 0, 0, 0, 0, 0, 0, 0}},
	} {
		got := make([]byte, len(c.want))
		require.NoError(t, Codec[float32]{Dim: 4, Code: c.code}.Quantize(got, x))
		assert.Equal(t, c.want, got, c.code)
	}
	y := []float32{0, 255, 2.5, 3.5}
	got := make([]byte, 12)
	require.NoError(t, Codec[float32]{Dim: 4, Code: Uint8}.Quantize(got, y))
	assert.Equal(t, []byte{0, 0, 0x80, 0x3F, 0, 0, 0, 0, 0, 255, 2, 4}, got)
	require.NoError(t, Codec[float32]{Dim: 4, Code: Int8Asymmetric}.Quantize(got, y))
	assert.Equal(t, []byte{0, 0, 0x80, 0x3F, 0, 0, 0, 0, 128, 127, 130, 132}, got)
}

func TestAgainstFormula(t *testing.T) {
	t.Run("float32", testAgainstFormula[float32])
	t.Run("float16", testAgainstFormula[float16.Float16])
	t.Run("bfloat16", testAgainstFormula[bf16.BFloat16])
}

// Records of every number of vectors, with and without a stride, in place of what lies
// there, hold what portable kernels make of each vector by itself, and nothing else of
// the memory changes; their values are the portable kernels' too.
func testAgainstFormula[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	defer kernels.Use(kernels.Implementation())
	for _, impl := range kernels.Implementations() {
		for _, dim := range []int{1, 3, 96, 768, 4096, 4097, scratch, scratch + 1} {
			for _, code := range []Code{Int8, Int8Asymmetric, Uint8} {
				c := Codec[T]{Dim: dim, Code: code}
				if r.IntN(2) == 0 {
					c.Stride = HeaderBytes + dim + 1 + r.IntN(9)
				}
				n := r.IntN(max(2, min(150, 20000/dim)))
				wide := make([]float32, n*dim)
				for i := range wide {
					wide[i] = float32(r.NormFloat64()) * float32(i/dim%7)
				}
				x := make([]T, len(wide))
				narrow(x, wide)
				got := make([]byte, c.Bytes(n)+5)
				for i := range got {
					got[i] = 0xA5
				}
				want := append([]byte(nil), got...)
				values, wantValues := make([]T, len(x)), make([]T, len(x))
				require.NoError(t, kernels.Use("generic"))
				for i := range n {
					oneByOne(c, want[i*c.stride():], x[i*dim:][:dim], wantValues[i*dim:][:dim])
				}
				require.NoError(t, kernels.Use(impl))
				require.NoError(t, c.Quantize(got, x))
				require.Equal(t, want, got, "%s %+v", impl, c)
				require.NoError(t, c.Dequantize(values, got))
				require.Equal(t, wantValues, values, "%s %+v", impl, c)
				if n > 0 { // a row by itself
					i := r.IntN(n)
					row := make([]T, dim)
					require.NoError(t, c.Dequantize(row, got[i*c.stride():]))
					require.Equal(t, wantValues[i*dim:][:dim], row)
				}
			}
		}
	}
}

func narrow[T kernels.Float](x []T, wide []float32) {
	switch x := any(x).(type) {
	case []float32:
		copy(x, wide)
	case []float16.Float16:
		kernels.EncodeFloat16(x, wide)
	case []bf16.BFloat16:
		kernels.EncodeBFloat16(x, wide)
	}
}

// oneByOne makes one record and its values.
func oneByOne[T kernels.Float](c Codec[T], dst []byte, x, values []T) {
	g := kernels.Grid{Rows: 1, Groups: 1, Len: len(x)}
	scale, offset := make([]float32, 1), make([]float32, 1)
	rule := kernels.IntRule{Format: c.format(), Scale: scale}
	rule.Min, rule.Max = c.limits()
	if c.Code != Int8 {
		rule.Asymmetric, rule.ByMinval, rule.Minval = true, true, offset
	}
	kernels.DynamicInt(dst[HeaderBytes:][:len(x)], x, g, &rule)
	binary.LittleEndian.PutUint32(dst, math.Float32bits(scale[0]))
	binary.LittleEndian.PutUint32(dst[4:], math.Float32bits(offset[0]))
	p := c.params(scale, offset)
	kernels.DequantizeInt(values, dst[HeaderBytes:][:len(x)], g, &p)
}

// A vector that has no parameters ends the work there, and the memory behind is as it was.
func TestNonFinite(t *testing.T) {
	for _, dim := range []int{5, 9000} {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			c := Codec[float32]{Dim: dim, Code: Uint8}
			x := make([]float32, 4*dim)
			x[2*dim+3] = bad
			dst := make([]byte, c.Bytes(4))
			for i := range dst {
				dst[i] = 0xA5
			}
			want := append([]byte(nil), dst...)
			require.NoError(t, c.Quantize(want, x[:2*dim]))
			err := c.Quantize(dst, x)
			require.ErrorIs(t, err, ErrNonFinite)
			assert.Contains(t, err.Error(), "vector 2 ")
			assert.Equal(t, want, dst)

			clear(x)
			require.NoError(t, c.Quantize(dst, x))
			binary.LittleEndian.PutUint32(dst[3*c.stride()+4:], math.Float32bits(bad))
			for i := range x {
				x[i] = 7
			}
			err = c.Dequantize(x, dst)
			require.ErrorIs(t, err, ErrNonFinite)
			assert.Contains(t, err.Error(), "record 3 ")
			assert.Equal(t, float32(0), x[3*dim-1])
			assert.Equal(t, float32(7), x[3*dim])
		}
	}
	// A range wider than the type: the width, and so the scale, is infinite.
	err := Codec[float32]{Dim: 2, Code: Uint8}.Quantize(make([]byte, 10), []float32{-math.MaxFloat32, math.MaxFloat32})
	require.ErrorIs(t, err, ErrNonFinite)
}

func TestMistakes(t *testing.T) {
	x, dst := make([]float32, 8), make([]byte, 100)
	for _, c := range []struct {
		codec Codec[float32]
		x     []float32
		dst   []byte
		want  string
	}{
		{Codec[float32]{}, x, dst, "record: Dim=0, want 1 at least"},
		{Codec[float32]{Dim: -1}, x, dst, "record: Dim=-1, want 1 at least"},
		{Codec[float32]{Dim: math.MaxInt}, x, dst, "want 1 at least"},
		{Codec[float32]{Dim: 8, Stride: 15}, x, dst, "record: Stride=15, want 16 at least, or 0"},
		{Codec[float32]{Dim: 8, Code: 3}, x, dst, "record: Code=3, want Int8, Int8Asymmetric or Uint8"},
		{Codec[float32]{Dim: 3}, x, dst, "want a multiple of Dim=3"},
		{Codec[float32]{Dim: 4}, x, dst[:23], "=23, want room for 2 records of 12 bytes, 12 bytes apart"},
		{Codec[float32]{Dim: 4, Stride: math.MaxInt}, x, dst, "want room for 2 records"},
	} {
		err := c.codec.Quantize(c.dst, c.x)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, c.codec.Dequantize(c.x, c.dst), c.want)
	}
	require.NoError(t, Codec[float32]{Dim: 4}.Quantize(nil, nil))
	require.NoError(t, Codec[float32]{Dim: 4}.Dequantize(nil, nil))
	assert.Equal(t, "Code(9)", Code(9).String())
	assert.Equal(t, "Int8Asymmetric", Int8Asymmetric.String())
}

func TestAllocations(t *testing.T) {
	for _, dim := range []int{768, 9000} {
		c := Codec[float32]{Dim: dim, Code: Uint8}
		x, dst := make([]float32, 20*dim), make([]byte, c.Bytes(20))
		assert.Zero(t, testing.AllocsPerRun(10, func() {
			if c.Quantize(dst, x) != nil || c.Dequantize(x, dst) != nil {
				t.Fail()
			}
		}))
	}
}

package safetensors

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// The names and sizes are those of the reference implementation.
func TestDTypes(t *testing.T) {
	bits := map[string]int{
		"BOOL": 8, "U8": 8, "I8": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
		"F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
		"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
		"I64": 64, "U64": 64, "F64": 64, "C64": 64,
	}
	for name, want := range bits {
		dtype, err := ParseDType(name)
		require.NoError(t, err, name)
		assert.Equal(t, name, dtype.String())
		assert.Equal(t, want, dtype.Bits(), name)
	}
	assert.Len(t, dtypeByName, len(bits))

	for _, name := range []string{"", "f32", "F32 ", "F8_E4M3FN", "F7"} {
		_, err := ParseDType(name)
		assert.ErrorContains(t, err, "unknown dtype "+tensorfile.Quote(name))
	}
	assert.Equal(t, "DType(0)", DType(0).String())
	assert.Equal(t, "DType(200)", DType(200).String())
}

func TestByteSize(t *testing.T) {
	const big = 1 << 30
	for _, c := range []struct {
		dtype DType
		shape Shape
		want  int64
	}{
		{F32, ShapeOf(), 4},
		{F32, ShapeOf(2, 3), 24},
		{BOOL, ShapeOf(5), 5},
		{C64, ShapeOf(1, 1, 3), 24},
		{F4, ShapeOf(3, 2), 3},
		{F4, ShapeOf(0, 3), 0},
		{F6_E2M3, ShapeOf(4), 3},
		{F6_E3M2, ShapeOf(2, 2, 2), 6},
		{I64, ShapeOf(7, 0), 0},
		{U8, ShapeOf(big, big, big, 0), 0},
	} {
		got, err := byteSize(c.dtype, c.shape)
		require.NoError(t, err, "%v %v", c.dtype, c.shape)
		assert.Equal(t, c.want, got, "%v %v", c.dtype, c.shape)
	}
	for _, c := range []struct {
		dtype DType
		shape Shape
		want  string
	}{
		{F4, ShapeOf(3, 3), "shape [3, 3] of F4 does not fill whole bytes"},
		{F4, ShapeOf(), "shape [] of F4 does not fill whole bytes"},
		{F6_E2M3, ShapeOf(2), "shape [2] of F6_E2M3 does not fill whole bytes"},
		{F32, ShapeOf(2, -3), "axis 1 has the negative length -3"},
		{F32, ShapeOf(0, -3), "axis 1 has the negative length -3"},
		{U8, ShapeOf(big, big, big), "shape [1073741824, 1073741824, 1073741824] of U8 overflows"},
		{DType(0), ShapeOf(1), "unknown dtype DType(0)"},
	} {
		_, err := byteSize(c.dtype, c.shape)
		assert.EqualError(t, err, c.want)
	}
}

package golden

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Every case can be loaded and is whole.
func TestCases(t *testing.T) {
	cases, err := Cases()
	require.NoError(t, err)
	assert.Len(t, cases, 527)
	for _, c := range cases {
		expected, err := Expected(c.Name)
		require.NoError(t, err, c.Name)
		last := c.Steps[len(c.Steps)-1]
		inputs, err := Inputs(last.Input)
		require.NoError(t, err, c.Name)
		for name, x := range inputs {
			y, ok := expected[name]
			require.True(t, ok, "%s: %s", c.Name, name)
			assert.Equal(t, x.DType, y.DType, "%s: %s", c.Name, name)
			assert.Equal(t, x.Shape, y.Shape, "%s: %s", c.Name, name)
			assert.Equal(t, -1, y.Diff(y.Data), "%s: %s", c.Name, name)
		}
		if c.Grad != "" {
			_, err := Inputs(c.Grad)
			require.NoError(t, err, c.Name)
		}
	}
}

func TestDiff(t *testing.T) {
	nan := math.Float32frombits(0xffc12345)
	x := Tensor{safetensors.F32, []int{3}, Bytes([]float32{1, 0, nan})}
	assert.Equal(t, []float32{1, 0}, Values[float32](x)[:2])
	assert.Equal(t, -1, x.Diff(Bytes([]float32{1, 0, float32(math.NaN())})))
	assert.Equal(t, 0, x.Diff(Bytes([]float32{nan, 0, nan})))
	assert.Equal(t, 1, x.Diff(Bytes([]float32{1, float32(math.Copysign(0, -1)), nan})))
	assert.Equal(t, 2, x.Diff(Bytes([]float32{1, 0, float32(math.Inf(1))})))
	assert.Equal(t, 2, x.Diff(Bytes([]float32{1, 0})))
	assert.Equal(t, 3, x.Diff(Bytes([]float32{1, 0, nan, 0})))

	for _, c := range []struct {
		dtype    safetensors.DType
		inf, nan uint64
	}{
		{safetensors.F32, 0x7f800000, 0x7f800001},
		{safetensors.F16, 0x7c00, 0x7c01},
		{safetensors.BF16, 0x7f80, 0x7f81},
		{safetensors.F8_E4M3, 0x7e, 0x7f},
		{safetensors.F8_E5M2, 0x7c, 0x7d},
	} {
		sign := uint64(1) << (c.dtype.Bits() - 1)
		assert.False(t, isNaN(c.dtype, c.inf) || isNaN(c.dtype, c.inf|sign), c.dtype)
		assert.True(t, isNaN(c.dtype, c.nan) && isNaN(c.dtype, c.nan|sign), c.dtype)
	}
	assert.False(t, isNaN(safetensors.I8, 0x7f))
}

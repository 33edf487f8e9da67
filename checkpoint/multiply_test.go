package checkpoint

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/kernels"
)

// Every implementation gives the products' bits: zeros keep their sign, and a NaN has none.
func TestMultiply(t *testing.T) {
	inf := float32(math.Inf(1))
	x := []float32{1, -1, 0, negativeZero, 3, inf, 0x1p-149, math.MaxFloat32}
	factors := []float32{1.0 / 3, -2, 0, 0x1p-1, inf, math.Float32frombits(0xffc12345)}
	var src, want []float32
	for _, m := range factors {
		for i := range 67 {
			v := x[i%len(x)]
			src = append(src, v)
			if v *= m; v != v {
				v = math.Float32frombits(0x7fc00000)
			}
			want = append(want, v)
		}
	}
	before := kernels.Implementation()
	defer func() { require.NoError(t, kernels.Use(before)) }()
	for _, name := range kernels.Implementations() {
		require.NoError(t, kernels.Use(name))
		got := append([]float32{}, src...)
		multiply(got, got, factors, 67)
		require.Equal(t, floatBytes(want), floatBytes(got), name)

		quotients := append([]float32{}, src...)
		divide(new(scratch), quotients, 3)
		for i, v := range src {
			require.Equal(t, math.Float32bits(v/3), math.Float32bits(quotients[i]), "%s: %v/3", name, v)
		}
	}
}

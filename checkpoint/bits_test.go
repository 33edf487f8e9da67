package checkpoint

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/kernels"
)

// Every implementation takes codes of every number of bits out of a stream of every length, and touches nothing behind them.
func TestUnpackBits(t *testing.T) {
	before := kernels.Implementation()
	defer func() { require.NoError(t, kernels.Use(before)) }()
	for _, name := range kernels.Implementations() {
		require.NoError(t, kernels.Use(name))
		for bits := 2; bits <= 8; bits++ {
			for n := range 300 {
				want, src := make([]uint8, n+8), make([]uint8, (n*bits+7)/8)
				for i := range n {
					code := rand.N(1 << bits)
					want[i] = uint8(code)
					for b := range bits {
						src[(i*bits+b)/8] |= uint8(code>>b&1) << ((i*bits + b) % 8)
					}
				}
				got := make([]uint8, len(want))
				unpackBits(got[:n], src, bits)
				require.Equal(t, want, got, "%s: %d codes of %d bits", name, n, bits)
			}
		}
	}
}

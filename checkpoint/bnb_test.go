package checkpoint

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
)

// Every implementation that looks codes up in tables of their block has the values that products have, and touches nothing else.
func TestLookUpTables(t *testing.T) {
	t.Run("float32", holdLookUpTables[float32])
	t.Run("float16", holdLookUpTables[float16.Float16])
	t.Run("bfloat16", holdLookUpTables[bf16.BFloat16])
}

func holdLookUpTables[T kernels.Float](t *testing.T) {
	magnitudes := []float32{1, 0.37, 0, -3, 0x1p-149, 0x1.8p-130, math.MaxFloat32, 65520, 6.1e-5, float32(math.Inf(1)), math.Float32frombits(0xffc12345)}
	before := kernels.Implementation()
	defer func() { require.NoError(t, kernels.Use(before)) }()
	for _, name := range kernels.Implementations() {
		require.NoError(t, kernels.Use(name))
		for _, v := range []*pairValues{nf4Values, fp4Values} {
			for _, block := range []int{64, 128, 4096} {
				codes := make([]uint8, len(magnitudes)*block/2)
				for i := range codes {
					codes[i] = uint8(rand.N(256))
				}
				wide := make([]float32, 2*len(codes))
				lookUpPairs(wide, codes, 0, &v.pairs)
				multiply(wide, wide, magnitudes, block)
				want := make([]T, len(wide)+64)
				narrow(want[:len(wide)], wide)
				got := make([]T, len(want))
				n := lookUpTables(new(scratch), got, codes, block, magnitudes, v)
				if isa.Current() == asm.Generic {
					require.Zero(t, n)
					continue
				}
				require.Equal(t, len(wide), n)
				require.Equal(t, bytesOf(want), bytesOf(got), "%s: blocks of %d", name, block)
			}
		}
	}
}

package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/kernels"
)

// Every implementation moves each word, and each nibble, to its place and touches nothing else.
func TestTranspose(t *testing.T) {
	before := kernels.Implementation()
	defer func() { require.NoError(t, kernels.Use(before)) }()
	order := [8]int{3, 1, 4, 0, 5, 7, 2, 6}
	for _, name := range kernels.Implementations() {
		require.NoError(t, kernels.Use(name))
		for _, rows := range []int{1, 7, 8, 16, 33, 64, 131} {
			for _, cols := range []int{1, 3, 4, 17, 32} {
				src := make([]uint32, (rows-1)*(cols+3)+cols)
				for i := range src {
					src[i] = uint32(i+1) * 0x9e3779b1
				}
				at := func(r, c int) uint32 { return src[r*(cols+3)+c] }

				got, want := make([]uint32, (cols-1)*(rows+5)+rows), make([]uint32, (cols-1)*(rows+5)+rows)
				for r := range rows {
					for c := range cols {
						want[c*(rows+5)+r] = at(r, c)
					}
				}
				transpose(got, rows+5, src, cols+3, rows, cols)
				require.Equal(t, want, got, "%s: %d x %d words", name, rows, cols)
				clear(got)
				transposeTiles(new(scratch), got, rows+5, src, cols+3, rows, cols)
				require.Equal(t, want, got, "%s: %d x %d words by tiles", name, rows, cols)

				halves, gotHalves, wantHalves := make([]float16.Float16, len(src)), make([]float16.Float16, len(want)), make([]float16.Float16, len(want))
				for i, v := range src {
					halves[i] = float16.Frombits(uint16(v >> 8))
				}
				for i, v := range want {
					wantHalves[i] = float16.Frombits(uint16(v >> 8))
				}
				transpose(gotHalves, rows+5, halves, cols+3, rows, cols)
				require.Equal(t, wantHalves, gotHalves, "%s: %d x %d halves of words", name, rows, cols)

				stride := (rows+127)/128*16 + 3
				got, want = make([]uint32, 8*cols*stride), make([]uint32, 8*cols*stride)
				for r := range rows {
					for c := range 8 * cols {
						want[c*stride+r/8] |= at(r, c/8) >> (4 * order[c%8]) & 15 << (r % 8 * 4)
					}
				}
				transposeNibbles(new(scratch), got, stride, src, cols+3, rows, cols, &order)
				require.Equal(t, want, got, "%s: %d x %d nibbles", name, rows, cols)
			}
		}
	}
}

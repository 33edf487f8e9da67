package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDifferences holds all implementations against the definition, over lengths around that of a loop's step and sums that go on.
func TestDifferences(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, 1e-40, 1, -1, math.MaxFloat32, -math.MaxFloat32}
	forEachImplementation(t, func(t *testing.T) {
		r := newSource(94)
		for n := range 70 {
			var got, want Differences
			for range 2 {
				a, b, errors := make([]float32, n), make([]float32, n), make([]float64, n+1)
				for i := range a {
					a[i] = float32(r.Float64()*40 - 20)
					b[i] = []float32{a[i], float32(math.Round(float64(a[i]))), -a[i]}[r.IntN(3)]
					if r.IntN(8) == 0 {
						a[i], b[i] = special[r.IntN(len(special))], special[r.IntN(len(special))]
					}
				}
				errors[n] = 7
				require.True(t, got.Add(errors[:n], a, b))
				require.Equal(t, 7., errors[n])
				for i, x := range a {
					v, w := float64(x), float64(b[i])
					require.Equal(t, v-w, errors[i])
					want.Noise[i%2] += float64((v - w) * (v - w))
					want.A[i%2] += float64(v * v)
					want.B[i%2] += float64(w * w)
					want.Product[i%2] += float64(v * w)
					want.Largest = max(want.Largest, math.Abs(v-w))
					if math.Float32bits(x) != math.Float32bits(b[i]) {
						want.Bits++
					}
				}
			}
			require.Equal(t, want, got, n)
		}
	})
}

// TestDifferencesNotFinite: one element that is not finite, anywhere on either side, is said.
func TestDifferencesNotFinite(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		const n = 11
		for i := range n {
			for side := range 2 {
				for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					var d Differences
					var sides [2][n]float32
					sides[side][i] = float32(v)
					require.False(t, d.Add(make([]float64, n), sides[0][:], sides[1][:]), fmt.Sprint(i, side, v))
				}
			}
		}
	})
}

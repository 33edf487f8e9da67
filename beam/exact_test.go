package beam

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A sum is the exact one rounded once, however it is cut and in whatever order it is added up.
func TestExactSum(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	x := []float64{0, math.SmallestNonzeroFloat64, math.MaxFloat64 / 4096, 1, math.Nextafter(1, 2), 0x1p-1022}
	for range 300 {
		x = append(x, math.Ldexp(r.Float64(), r.IntN(200)-100))
	}
	want := new(big.Float).SetPrec(4000)
	for _, v := range x {
		want.Add(want, new(big.Float).SetFloat64(v))
	}
	sum, _ := want.Float64()
	for range 200 {
		parts := make([]exactSum, 1+r.IntN(9))
		for _, i := range r.Perm(len(x)) {
			parts[r.IntN(len(parts))].add(x[i])
		}
		var s exactSum
		for _, i := range r.Perm(len(parts)) {
			b, err := json.Marshal(&parts[i])
			require.NoError(t, err)
			var p exactSum
			require.NoError(t, json.Unmarshal(b, &p))
			require.Equal(t, parts[i], p)
			s.merge(&p)
		}
		require.Equal(t, sum, s.value())
	}
	var s exactSum
	s.add(math.Inf(1))
	require.True(t, math.IsNaN(s.value()))
	require.Error(t, s.UnmarshalText([]byte("99:ff")))
}

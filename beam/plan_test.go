package beam

import (
	"cmp"
	"encoding/json"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/quant"
)

// Pieces of any size tile every file exactly, and the plan is the same whoever makes it.
func TestPlanTiles(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	makeModel(t, in, 2)
	r := rand.New(rand.NewPCG(7, 8))
	presets := []string{"int8", "int4-g32", "uint4-g64", "int2-g32", "fp8", "fp8-block", "mxfp8", "mxfp6", "mxfp4", "nvfp4", "w8a8", "w4a16", "w4a16-asym"}
	for range 200 {
		j := Job{Do: quantize, In: in, Out: filepath.Join(dir, "out"), Preset: presets[r.IntN(len(presets))], Piece: 1024 + r.Int64N(1<<uint(10+r.IntN(10))), Span: 1}
		require.NoError(t, j.begin(t.Context()))
		w, err := makeWork(t.Context(), j)
		require.NoError(t, err)
		again, err := makeWork(t.Context(), j)
		require.NoError(t, err)
		require.Equal(t, w.digest, again.digest)
		for i := range w.targets {
			to := &w.targets[i]
			all := []extent{{0, int64(len(to.head))}}
			for p := range to.pieces {
				require.Equal(t, to.runs(p), again.targets[i].runs(p))
				all = append(all, to.runs(p)...)
			}
			slices.SortFunc(all, func(a, b extent) int { return cmp.Compare(a.off, b.off) })
			at := int64(0)
			for _, e := range all {
				require.Equal(t, at, e.off, "%s %d", j.Preset, j.Piece)
				at += e.size
			}
			require.Equal(t, to.size, at)
		}
	}
}

// What is left of a target is what no span has, whatever the spans are.
func TestGaps(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 200 {
		n := r.IntN(30)
		has := make([]bool, n)
		var spans []span
		for range r.IntN(8) {
			first := r.IntN(n + 1)
			s := span{first, first + r.IntN(n+1-first)}
			if s.First == s.End {
				continue
			}
			for i := s.First; i < s.End; i++ {
				has[i] = true
			}
			parsed, ok := parseSpan(s.String())
			require.True(t, ok)
			require.Equal(t, s, parsed)
			spans = append(spans, s)
		}
		for _, g := range gaps(spans, n) {
			for i := g.First; i < g.End; i++ {
				require.False(t, has[i])
				has[i] = true
			}
		}
		require.NotContains(t, has, false)
	}
	for _, name := range []string{"", "owner", "00000001-00000001", "00000002-00000001", "1-2", "00000000-00000001x"} {
		_, ok := parseSpan(name)
		require.False(t, ok, name)
	}
}

// A difference is the same however the elements are cut and in whatever order the parts are merged.
func TestDifferenceMerges(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	v, w := make([]float64, 500), make([]float64, 500)
	for i := range v {
		v[i], w[i] = r.NormFloat64(), r.NormFloat64()
	}
	v[3], w[4], v[5], w[5] = math.NaN(), math.Inf(1), math.Inf(-1), math.Inf(-1)
	var want difference
	for i := range v {
		want.pairOf(v[i], w[i])
	}
	for range 200 {
		parts := make([]difference, 1+r.IntN(9))
		for _, i := range r.Perm(len(v)) {
			parts[r.IntN(len(parts))].pairOf(v[i], w[i])
		}
		var got difference
		for _, i := range r.Perm(len(parts)) {
			text, err := json.Marshal(&parts[i])
			require.NoError(t, err)
			p, err := unpack[difference](text)
			require.NoError(t, err)
			got.merge(&p)
		}
		require.Equal(t, want, got)
	}
	require.Equal(t, 2, want.Apart)
}

// Histograms and ranges go through the engine as bytes, and are merged as they come.
func TestStatesMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	x := make([]float32, 400)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	x[0], x[1], x[2] = float32(math.Copysign(0, -1)), 0, float32(math.NaN())
	var whole quant.Histogram[float32]
	whole.Add(x)
	want, err := whole.MarshalBinary()
	require.NoError(t, err)
	for range 200 {
		parts := make([]quant.Histogram[float32], 1+r.IntN(4))
		for _, i := range r.Perm(len(x)) {
			parts[r.IntN(len(parts))].Add(x[i : i+1])
		}
		var got quant.Histogram[float32]
		for _, i := range r.Perm(len(parts)) {
			data, err := parts[i].MarshalBinary()
			require.NoError(t, err)
			var p quant.Histogram[float32]
			require.NoError(t, p.UnmarshalBinary(data))
			got.Merge(&p)
		}
		data, err := got.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, want, data)
	}
}

package quant

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
)

// signedZeros are zeros of both signs, a NaN in a group of its own, and numbers.
func signedZeros(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		switch {
		case i < n/4:
			x[i] = float32(math.Copysign(0, float64(r.IntN(2)*2-1)))
		case i == n/2:
			x[i] = math.Float32frombits(0xffc12345)
		default:
			x[i] = float32(r.NormFloat64())
		}
	}
	return x
}

// Ranges of pieces, merged in any order and more than once, are those of the whole, and so are their bytes.
func TestRangesMerge(t *testing.T) {
	const rows, cols = 16, 64
	r := rand.New(rand.NewPCG(1, 2))
	x := signedZeros(r, rows*cols)
	for _, spec := range []Spec{{}, {Granularity: PerChannel(0)}, {Granularity: PerBlock(1, 32)}} {
		p, err := NewPieces[float32](spec, Weight, []int{rows, cols}, false)
		require.NoError(t, err)
		var whole Ranges
		require.NoError(t, p.Observe(&whole, p.Whole(), x))
		want, err := whole.MarshalBinary()
		require.NoError(t, err)
		for range 200 {
			var pieces []Part
			for piece := range p.Cut(p.Whole(), 64*(1+r.IntN(4))) {
				pieces = append(pieces, piece)
			}
			parts := make([]Ranges, 1+r.IntN(5))
			for _, i := range r.Perm(len(pieces)) {
				piece := pieces[i]
				require.NoError(t, p.Observe(&parts[r.IntN(len(parts))], piece, x[piece.First:][:piece.Len]))
			}
			var got Ranges
			for _, i := range append(r.Perm(len(parts)), 0) {
				data, err := parts[i].MarshalBinary()
				require.NoError(t, err)
				var part Ranges
				require.NoError(t, part.UnmarshalBinary(data))
				require.NoError(t, got.Merge(&part))
			}
			data, err := got.MarshalBinary()
			require.NoError(t, err)
			require.Equal(t, want, data)
			a, err := p.Params(&whole, p.Whole())
			require.NoError(t, err)
			b, err := p.Params(&got, p.Whole())
			require.NoError(t, err)
			require.Equal(t, floatBits(a.Scale), floatBits(b.Scale))
		}
	}
}

func floatBits(x []float32) (b []uint32) {
	for _, v := range x {
		b = append(b, math.Float32bits(v))
	}
	return b
}

func TestRangesRefuse(t *testing.T) {
	p, err := NewPieces[float32](Spec{Granularity: PerChannel(0)}, Weight, []int{4, 64}, false)
	require.NoError(t, err)
	var r, other Ranges
	require.NoError(t, p.Observe(&r, p.Whole(), make([]float32, 256)))
	good, err := r.MarshalBinary()
	require.NoError(t, err)
	require.NoError(t, other.UnmarshalBinary(good))
	for n := range good {
		require.ErrorIs(t, other.UnmarshalBinary(good[:n]), ErrState, n)
	}
	for at, b := range map[int]byte{0: 'X', len(rangesMagic) + 7: 1, len(rangesMagic) + 8: 99, len(rangesMagic) + 17: 255, len(good) - 33: 1} {
		bad := append([]byte{}, good...)
		bad[at] ^= b
		assert.ErrorIs(t, other.UnmarshalBinary(bad), ErrState, at)
	}
	assert.ErrorIs(t, other.UnmarshalBinary(append(good, 0)), ErrState)
	data, err := other.MarshalBinary()
	require.NoError(t, err)
	assert.Equal(t, good, data, "it stays as it was")

	per, err := NewPieces[float32](Spec{}, Weight, []int{4, 64}, false)
	require.NoError(t, err)
	var one Ranges
	require.NoError(t, per.Observe(&one, per.Whole(), make([]float32, 256)))
	assert.ErrorIs(t, one.Merge(&r), ErrShape)
	assert.NoError(t, one.Merge(new(Ranges)))
	assert.ErrorIs(t, one.Merge(nil), ErrNil)
}

// A histogram that was counted in parts gives the state that the tensor itself gives.
func TestObserveHistogram(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	spec, err := ParseSpec([]byte(`{"qparam_calculator_cls":"histogram"}`))
	require.NoError(t, err)
	want, err := New[float32](spec, Activation)
	require.NoError(t, err)
	got, err := New[float32](spec, Activation)
	require.NoError(t, err)
	for range 20 {
		x := signedZeros(r, 200)
		if r.IntN(3) == 0 {
			x = x[:50] // zeros alone
		}
		var whole Histogram[float32]
		for _, i := range r.Perm(len(x)) {
			var part Histogram[float32]
			part.Add(x[i : i+1])
			whole.Merge(&part)
		}
		require.NoError(t, want.Observe(Tensor[float32]{x, []int{len(x)}}))
		require.NoError(t, got.ObserveHistogram([]int{len(x)}, &whole))
		require.Equal(t, want.State(), got.State())
		require.ErrorIs(t, got.ObserveHistogram([]int{len(x) + 1}, &whole), ErrShape)
	}
	other, err := New[float32](Spec{}, Activation)
	require.NoError(t, err)
	var h Histogram[float32]
	h.Add([]float32{1})
	require.ErrorIs(t, other.ObserveHistogram([]int{1}, &h), ErrSpec)
	other, err = New[float32](spec, Activation)
	require.NoError(t, err)
	require.NoError(t, other.EnableObserver(false))
	require.NoError(t, other.ObserveHistogram([]int{1}, &h))
	_, err = other.Params()
	require.ErrorIs(t, err, ErrNotObserved)
	other, err = New[float32](spec, Activation)
	require.NoError(t, err)
	other.RequireFinite = true
	h.Add([]float32{float32(math.NaN())})
	require.ErrorIs(t, other.ObserveHistogram([]int{2}, &h), ErrNonFinite)
	_, err = other.Params()
	require.ErrorIs(t, err, ErrNotObserved)
}

// TestHistogramGoesOn holds quantizers that go on from a saved histogram against ones that go on themselves. The ends that a state keeps hold 0, where all
// elements are on one side of it: every range that a histogram gives is widened to 0, so that nothing else follows.
func TestHistogramGoesOn(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for _, calculator := range []string{`{"name":"percentile","num":9,"den":10}`, `{"name":"percentile","num":1,"den":1}`, `"mse"`} {
		for _, spec := range []Spec{{DType: Uint8, Scheme: Asymmetric}, {DType: Int4}, {DType: Float8E4M3FN}} {
			spec.Calculator = Algorithm{Name: "histogram", Arguments: `{"range":` + calculator + `}`}
			for trial := range 30 {
				batch := func() Tensor[float32] {
					x := make([]float32, 1+r.IntN(40))
					for i := range x {
						switch x[i] = float32(r.NormFloat64()); trial % 3 {
						case 1:
							x[i] = 2 + x[i]*x[i]
						case 2:
							x[i] = -2 - x[i]*x[i]
						}
					}
					return Tensor[float32]{Data: x, Shape: []int{len(x)}}
				}
				want, err := New[float32](spec, Activation)
				require.NoError(t, err)
				require.NoError(t, want.Observe(batch()))
				got, err := New[float32](spec, Activation)
				require.NoError(t, err)
				require.NoError(t, got.LoadState(want.State()))
				next := batch()
				require.NoError(t, want.Observe(next))
				require.NoError(t, got.Observe(next))
				require.Equal(t, want.State(), got.State(), "%v, %v", spec, next.Data)
			}
		}
	}
}

// TestHistogramTally holds what many elements are counted in against few at a time.
func TestHistogramTally(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	x := make([]float32, 1<<17+13)
	for i := range x {
		switch x[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64())); {
		case i >= 5000 && i < 60000:
			x[i] = 1
		case i >= 60000 && r.IntN(100) == 0:
			x[i] = []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e-41, -1e-41, 6e-8,
				math.Float32frombits(0x7f800001), math.Float32frombits(0xff80ffff), math.Float32frombits(0x7f810000)}[r.IntN(11)]
		}
	}
	testTally(t, x)
	zeros := make([]float32, 1<<16)
	testTally(t, zeros)
	zeros[77] = float32(math.Copysign(0, -1))
	testTally(t, zeros)
	for i := range zeros {
		zeros[i] *= -1
	}
	testTally(t, zeros)
	f16, bfloat16 := make([]float16.Float16, len(x)), make([]bf16.BFloat16, len(x))
	kernels.EncodeFloat16(f16, x)
	kernels.EncodeBFloat16(bfloat16, x)
	testTally(t, f16)
	testTally(t, bfloat16)
	all, allF16 := make([]bf16.BFloat16, 1<<16), make([]float16.Float16, 1<<16)
	for i := range all { // every NaN
		all[i], allF16[i] = bf16.BFloat16(i), float16.Float16(i)
	}
	testTally(t, all)
	testTally(t, allF16)
}

// testTally holds elements that are counted at once, in parts, and beside almost as many as a table holds, against ones that are counted one by one.
func testTally[T kernels.Float](t *testing.T, x []T) {
	wide := make([]float32, len(x))
	widen(wide, x)
	counts, nan, finite, seen := map[uint16]uint64{}, uint64(0), empty, empty
	binOf := func(v float32) uint16 {
		if elementOf[T]() == elementF16 {
			return bin(float16.Fromfloat32(v).Bits())
		}
		return bin(uint16(math.Float32bits(v) >> 16))
	}
	for _, v := range wide {
		if v != v {
			nan++
			continue
		}
		counts[binOf(v)]++
		seen = seen.with(Range{v, v})
		if math.Abs(float64(v)) <= math.MaxFloat32 {
			finite = finite.with(Range{v, v})
		}
	}
	same := func(h *Histogram[T], times, more uint64) {
		t.Helper()
		want := map[uint16]uint64{}
		if more > 0 {
			want[binOf(wide[0])] = more
		}
		for i, n := range counts {
			want[i] += n * times
		}
		require.Equal(t, want, maps.Collect(h.h.used()))
		n, gotNaN := h.Count()
		require.Equal(t, nan*times, gotNaN)
		require.Equal(t, uint64(len(x))*times+more, n+gotNaN)
		bits := func(r Range) [2]uint32 { return [2]uint32{math.Float32bits(r.Min), math.Float32bits(r.Max)} }
		require.Equal(t, bits(finite), bits(h.h.ends()))
		require.Equal(t, bits(seen), bits(h.Range()))
	}
	for _, room := range []uint64{math.MaxUint32, 70001, 5000, 3} {
		var h Histogram[T]
		more := math.MaxUint32 - room
		h.h.begin(elementOf[T]())
		h.h.counts.add(upper(binOf(wide[0])), more)
		h.h.total += more
		h.Add(x)
		same(&h, 1, more)
		for part := range slices.Chunk(x, 1000) {
			h.Add(part)
		}
		same(&h, 2, more)
		b, err := h.MarshalBinary()
		require.NoError(t, err)
		var read Histogram[T]
		require.NoError(t, read.UnmarshalBinary(b))
		same(&read, 2, more)
		h.Merge(&read)
		same(&h, 4, 2*more)
		read.Add(x)
		same(&read, 3, more)
		h.Merge(&h)
		same(&h, 8, 4*more)
	}
}

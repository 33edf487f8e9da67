package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
)

// chances is what rounding by chance makes of numbers, as bits; a NaN of float16 may be any.
func chances(impl isa, v []float32, r Random) map[string][]uint32 {
	out, y := map[string][]uint32{}, make([]float32, len(v))
	for _, ends := range [][2]float32{{-8, 7}, {0, 255}, {-32768, 0}} {
		stochasticInt(impl, y, v, ends[0], ends[1], r)
		out[fmt.Sprint(ends)] = patterns(y)
	}
	for _, f := range floatFormats {
		stochasticFloat(impl, y, v, f, r)
		out[f.String()] = patterns(y)
	}
	b, h := make([]bf16.BFloat16, len(v)), make([]float16.Float16, len(v))
	stochasticBFloat16(impl, b, v, r)
	stochasticFloat16(impl, h, v, r)
	for i := range v {
		out["bfloat16"] = append(out["bfloat16"], uint32(b[i]))
		if h[i].IsNaN() {
			h[i] = float16.NaN()
		}
		out["float16"] = append(out["float16"], uint32(h[i]))
	}
	return out
}

func patterns(x []float32) []uint32 {
	out := make([]uint32, len(x))
	for i, v := range x {
		out[i] = math.Float32bits(v)
	}
	return out
}

// TestStochasticImplementations holds every implementation against the portable code, for all short lengths, lengths of several runs of words, any first
// element, and counters whose lower half overflows within.
func TestStochasticImplementations(t *testing.T) {
	r := newSource(91)
	normal := rand.New(rand.NewPCG(9, 1)).NormFloat64
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, .5, 448, 449, 464, 65504, 65519, 65520, -65536, 1e-40, 6e-8, 3e-8, math.MaxFloat32,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.Float32frombits(0xff812345), math.Float32frombits(0x7f800001)}
	check := func(impl isa, n int, random Random) {
		v, usual := make([]float32, n), 8 // or of numbers that float16 has as normal ones, zeros, and hardly any others
		if r.IntN(2) == 0 {
			usual = 400
		}
		for i := range v {
			switch r.IntN(usual) {
			case 0:
				v[i] = special[r.IntN(len(special))]
			case 1:
				v[i] = math.Float32frombits(uint32(r.Uint64()))
			case 8, 9, 10, 11, 12, 13, 14, 15:
				v[i] = special[r.IntN(2)] // a zero
			default:
				v[i] = float32(normal() * math.Exp(3*normal()))
			}
		}
		want, got := chances(generic, v, random), chances(impl, v, random)
		for name := range want {
			require.Equal(t, want[name], got[name], "%v, %s, %d elements from %d on", impl, name, n, random.First)
		}
		in := append([]float32(nil), v...)
		stochasticInt(impl, in, in, -8, 7, random)
		require.Equal(t, want["[-8 7]"], patterns(in), "in place")
	}
	forEachImplementation(t, func(t *testing.T) {
		impl := current()
		for n := range 150 {
			check(impl, n, Random{Seed: r.Uint64(), Stream: r.Uint64(), First: r.Uint64() >> 1})
		}
		for first := range uint64(effort(3, 9, 500)) {
			check(impl, wordsAtOnce+100, Random{Seed: r.Uint64(), Stream: r.Uint64(), First: first})
			check(impl, wordsAtOnce+100, Random{Seed: r.Uint64(), Stream: 1, First: 4<<32 - 700 + first})
		}
	})
}

// BenchmarkStochastic tells what rounding by chance takes, beside the words alone and rounding to nearest.
func BenchmarkStochastic(b *testing.B) {
	const n = 1 << 15
	v, y := make([]float32, n), make([]float32, n)
	h, f := make([]bf16.BFloat16, n), make([]float16.Float16, n)
	normal := rand.New(rand.NewPCG(9, 2)).NormFloat64
	for i := range v {
		v[i] = float32(normal() * 30)
	}
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
	one := Grid{Rows: 1, Groups: 1, Len: n}
	random := Random{Seed: 1}
	run("words", func() {
		if impl := current(); impl != generic {
			var buf wordBuffer
			w := random.with(impl)
			for at := 0; at < n; at += wordsAtOnce {
				w.fill(&buf, at, min(wordsAtOnce, n-at))
			}
		}
	})
	ints := IntParams{Min: -128, Max: 127, Scale: []float32{1}}
	run("int8", func() { StochasticInt(y, v, -128, 127, random) })
	run("int8/nearest", func() { FakeQuantizeInt(y, NoMask, v, one, &ints) })
	for _, format := range []Format{E4M3FN, E5M2, E2M1} {
		floats := FloatParams{Format: format, Scale: []float32{1}}
		run(format.String(), func() { StochasticFloat(y, v, format, random) })
		run(format.String()+"/nearest", func() { FakeQuantizeFloat(y, NoMask, v, one, &floats) })
	}
	run("bfloat16", func() { StochasticBFloat16(h, v, random) })
	run("bfloat16/nearest", func() { EncodeBFloat16(h, v) })
	run("float16", func() { StochasticFloat16(f, v, random) })
	run("float16/nearest", func() { EncodeFloat16(f, v) })
	for i := range v {
		if i%10 == 3 {
			v[i] = 0
		}
	}
	run("float16/zeros", func() { StochasticFloat16(f, v, random) })
}

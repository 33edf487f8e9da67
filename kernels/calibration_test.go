package kernels

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/golden"
)

// calibration calls f with each golden case of a kind, on each implementation.
func calibration[P any](t *testing.T, kind string, f func(t *testing.T, c golden.CalibrationCase, p P)) {
	cases, err := golden.Calibration(kind)
	require.NoError(t, err)
	forEachImplementation(t, func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.Name, func(t *testing.T) {
				var p P
				require.NoError(t, json.Unmarshal(c.Params, &p))
				f(t, c, p)
			})
		}
	})
}

// sameBits requires equal bits, any NaN for a NaN.
func sameBits(t *testing.T, want golden.Tensor, got []byte) {
	t.Helper()
	require.Equal(t, -1, want.Diff(got), "index of the first that differs")
}

func TestStochasticStream(t *testing.T) {
	type params struct{ Seed, Stream string }
	calibration(t, "rec_stream", func(t *testing.T, c golden.CalibrationCase, p params) {
		var r Random
		require.NoError(t, json.Unmarshal([]byte(p.Seed), &r.Seed))
		require.NoError(t, json.Unmarshal([]byte(p.Stream), &r.Stream))
		want := golden.Values[uint32](c.Tensor("word"))
		for i, at := range golden.Values[uint64](c.Tensor("index")) {
			var w [1]uint32
			Random{r.Seed, r.Stream, at}.words(w[:], 0)
			require.Equal(t, want[i], w[0])
		}
	})
}

func TestStochasticInt(t *testing.T) {
	type params struct {
		Qmin, Qmax float32
		ZeroPoint  float32 `json:"zero_point"`
	}
	calibration(t, "rec_sr_int", func(t *testing.T, c golden.CalibrationCase, p params) {
		v, words := golden.Values[float32](c.Tensor("v")), golden.Values[uint32](c.Tensor("word"))
		codes := make([]int32, len(v))
		for i, v := range v {
			var y [1]float32
			stochasticInts(y[:], []float32{v}, words[i:], p.Qmin-p.ZeroPoint, p.Qmax-p.ZeroPoint)
			if y[0] == y[0] {
				codes[i] = int32(y[0] + p.ZeroPoint)
			}
		}
		sameBits(t, c.Tensor("code"), golden.Bytes(codes))
	})
}

func TestStochasticFloat(t *testing.T) {
	calibration(t, "rec_sr_float", func(t *testing.T, c golden.CalibrationCase, p struct{ Max float32 }) {
		v, words := golden.Values[float32](c.Tensor("v")), golden.Values[uint32](c.Tensor("word"))
		format := map[float32]Format{448: E4M3FN, 57344: E5M2, 6: E2M1}[p.Max]
		y := make([]float32, len(v))
		stochasticFloats(y, v, words, format)
		sameBits(t, c.Tensor("value"), golden.Bytes(y))
	})
}

func TestStochasticHalves(t *testing.T) {
	calibration(t, "rec_sr_half", func(t *testing.T, c golden.CalibrationCase, p struct{ Mbits int }) {
		v, words := golden.Values[float32](c.Tensor("v")), golden.Values[uint32](c.Tensor("word"))
		y := make([]float32, len(v))
		if p.Mbits == 7 {
			half := make([]bf16.BFloat16, len(v))
			stochasticBFloat16s(half, v, words)
			DecodeBFloat16(y, half)
		} else {
			half := make([]float16.Float16, len(v))
			stochasticFloat16s(half, v, words)
			DecodeFloat16(y, half)
		}
		sameBits(t, c.Tensor("value"), golden.Bytes(y))
	})
}

// TestStochasticSplit rounds a slice in one call and in several: an element's word follows from its place.
func TestStochasticSplit(t *testing.T) {
	const n = 3000
	x := make([]float32, n)
	for i := range x {
		x[i] = 9 * float32(math.Sin(float64(i)))
	}
	random := Random{Seed: 1 << 63, Stream: 5, First: 1<<32 - 1001} // the counter's lower half ends within
	rounded := func(cut int) (ints, floats []float32, bf []bf16.BFloat16, f16 []float16.Float16) {
		ints, floats, bf, f16 = make([]float32, n), make([]float32, n), make([]bf16.BFloat16, n), make([]float16.Float16, n)
		for lo := 0; lo < n; lo += cut {
			hi, r := min(lo+cut, n), random
			r.First += uint64(lo)
			StochasticInt(ints[lo:hi], x[lo:hi], -8, 7, r)
			StochasticFloat(floats[lo:hi], x[lo:hi], E4M3FN, r)
			StochasticBFloat16(bf[lo:hi], x[lo:hi], r)
			StochasticFloat16(f16[lo:hi], x[lo:hi], r)
		}
		return ints, floats, bf, f16
	}
	forEachImplementation(t, func(t *testing.T) {
		ints, floats, bf, f16 := rounded(n)
		for _, cut := range []int{1, 3, 64, 1023} {
			gotInts, gotFloats, gotBF, gotF16 := rounded(cut)
			require.Equal(t, ints, gotInts, cut)
			require.Equal(t, floats, gotFloats, cut)
			require.Equal(t, bf, gotBF, cut)
			require.Equal(t, f16, gotF16, cut)
		}
	})
}

// TestStochasticUnbiased counts how many of many equal fractions are rounded up.
func TestStochasticUnbiased(t *testing.T) {
	type params struct {
		Seed, Stream string
		N            int
	}
	calibration(t, "rec_unbiased", func(t *testing.T, c golden.CalibrationCase, p params) {
		var r Random
		require.NoError(t, json.Unmarshal([]byte(p.Seed), &r.Seed))
		require.NoError(t, json.Unmarshal([]byte(p.Stream), &r.Stream))
		var ups []int64
		for _, frac := range golden.Values[float32](c.Tensor("frac")) {
			x := make([]float32, p.N)
			for i := range x {
				x[i] = frac
			}
			StochasticInt(x, x, -8, 7, r)
			n := int64(0)
			for _, v := range x {
				n += int64(v)
			}
			ups = append(ups, n)
		}
		require.Equal(t, golden.Values[int64](c.Tensor("ups")), ups)
	})
}

func TestLearnInt(t *testing.T) {
	type params struct {
		Qmin, Qmax int
		ZeroPoint  int32 `json:"zero_point"`
	}
	calibration(t, "rec_lsq", func(t *testing.T, c golden.CalibrationCase, q params) {
		x, dy := golden.Values[float32](c.Tensor("x")), golden.Values[float32](c.Tensor("dy"))
		factor := golden.Values[float32](c.Tensor("grad_factor"))[0]
		require.Equal(t, factor, LearnFactor(len(x), float32(q.Qmax)))
		p := &IntParams{Min: q.Qmin, Max: q.Qmax, Scale: golden.Values[float32](c.Tensor("scale")), ZeroPoint: []int32{q.ZeroPoint}}
		g := Grid{Rows: 1, Groups: 1, Len: len(x)}
		var scale, zero [1]float32
		LearnInt(scale[:], zero[:], dy, x, g, p, factor)
		sameBits(t, c.Tensor("dscale"), golden.Bytes(scale[:]))
		sameBits(t, c.Tensor("dzero"), golden.Bytes(zero[:]))
		y, mask := make([]float32, len(x)), make([]byte, len(x))
		FakeQuantizeInt(y, ByteMask(mask), x, g, p)
		Backward(y, dy, ByteMask(mask))
		sameBits(t, c.Tensor("dx"), golden.Bytes(y))
	})
}

// learned is what LearnInt is defined to give for one group with the zero point z, or LearnFloat if there is a format.
func learned(x, dy []float32, s, lo, hi, z float32, f Format) (scale, zero float32) {
	scales, zeros := make([]float32, len(x)), make([]float32, len(x))
	for i, x := range x {
		v := x / s
		r := v
		if f == 0 {
			r = roundToEven(v) + z
		}
		switch {
		case r < lo:
			scales[i], zeros[i] = dy[i]*(lo-z), dy[i]
		case r > hi:
			scales[i], zeros[i] = dy[i]*(hi-z), dy[i]
		case r != r:
		case f != 0:
			scales[i] = dy[i] * (formats[f].float.Value(formats[f].float.Cast(v)) - v)
		default:
			scales[i] = dy[i] * ((r - z) - v)
		}
	}
	var a, b orderedSum
	a.add(scales)
	b.add(zeros)
	return oneNaN(float32(a.sum()) * .25), oneNaN(float32(float32(b.sum())*-s) * .25)
}

// TestLearnGroups holds the gradients of groups of one row or several, by every implementation, against their definition.
func TestLearnGroups(t *testing.T) {
	r := newSource(91)
	special := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1)), 1e-40, 1e30, .5, 2.5, -8.5}
	forEachImplementation(t, func(t *testing.T) {
		for _, g := range []Grid{{Rows: 4099, Groups: 3, Len: 1}, {Rows: 8192, Groups: 1, Len: 1}, {Rows: 3, Groups: 300, Len: 1}, {Rows: 2100, Groups: 2, Len: 2},
			{Rows: 5, Groups: 70, Len: 8}, {Rows: 300, Groups: 2, Len: 16}, {Rows: 1400, Groups: 2, Len: 3}, {Rows: 7, Groups: 3, Len: 20},
			{Rows: 1, Groups: 300, Len: 1}, {Rows: 1, Groups: 50, Len: 20}, {Rows: 1, Groups: 3, Len: 128}, {Rows: 1, Groups: 2, Len: 300}, {Rows: 1, Groups: 1, Len: 9000}} {
			x, dy := make([]float32, g.Rows*g.Groups*g.Len), make([]float32, g.Rows*g.Groups*g.Len)
			for i := range x {
				x[i], dy[i] = float32(r.Float64()*20-10), float32(r.Float64()-.5)
				if r.IntN(500) == 0 {
					x[i] = special[r.IntN(len(special))]
				}
			}
			ints := IntParams{Min: -8, Max: 7, Scale: make([]float32, g.Groups), ZeroPoint: make([]int32, g.Groups)}
			for i := range ints.Scale {
				ints.Scale[i], ints.ZeroPoint[i] = float32(r.Float64())+.3, int32(r.IntN(16)-8)
				if r.IntN(3) == 0 {
					ints.Scale[i] = 1
				}
			}
			floats := FloatParams{Format: E2M1, Scale: ints.Scale}
			scale, zero, floatScale := make([]float32, g.Groups), make([]float32, g.Groups), make([]float32, g.Groups)
			LearnInt(scale, zero, dy, x, g, &ints, .25)
			LearnFloat(floatScale, dy, x, g, &floats, .25)
			for group := range g.Groups {
				var gx, gy []float32
				for row := range g.Rows {
					at := (row*g.Groups + group) * g.Len
					gx, gy = append(gx, x[at:][:g.Len]...), append(gy, dy[at:][:g.Len]...)
				}
				s, z := learned(gx, gy, ints.Scale[group], -8, 7, float32(ints.ZeroPoint[group]), 0)
				fs, _ := learned(gx, gy, ints.Scale[group], -6, 6, 0, E2M1)
				require.Equal(t, view4([]float32{s, z, fs}), view4([]float32{scale[group], zero[group], floatScale[group]}), "%v, group %d", g, group)
			}
		}
	})
}

// BenchmarkLearn takes the gradients of scales of groups in a row, and in columns.
func BenchmarkLearn(b *testing.B) {
	x, dy := make([]float32, 1<<16), make([]float32, 1<<16)
	r := newSource(92)
	for i := range x {
		x[i], dy[i] = float32(r.Float64()*20-10), float32(r.Float64()-.5)
	}
	for _, g := range []Grid{{Rows: 1, Groups: 2048, Len: 32}, {Rows: 256, Groups: 256, Len: 1}} {
		scale, zero := make([]float32, g.Groups), make([]float32, g.Groups)
		p := IntParams{Min: -8, Max: 7, Scale: make([]float32, g.Groups)}
		for i := range p.Scale {
			p.Scale[i] = 1
		}
		b.Run(fmt.Sprintf("%d/%d", g.Rows, g.Len), func(b *testing.B) {
			for range b.N {
				LearnInt(scale, zero, dy, x, g, &p, 1)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/element")
		})
	}
}

// TestOrderedSum holds the sum against its definition, however the numbers are cut.
func TestOrderedSum(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 100, 4095, 4096, 4097, 9000} {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(math.Sin(float64(i))) * float32(math.Exp(float64(i%23)))
		}
		want := 0.0
		for at := 0; at < n; at += 4096 {
			var lanes [16]float32
			for i, v := range x[at:min(at+4096, n)] {
				lanes[i%16] += v
			}
			for half := 8; half > 0; half /= 2 {
				for j := range half {
					lanes[j] += lanes[j+half]
				}
			}
			want += float64(lanes[0])
		}
		for _, cut := range []int{1, 3, 16, 33, 4096, 10000} {
			var s orderedSum
			for at := 0; at < n; at += cut {
				s.add(x[at:min(at+cut, n)])
			}
			require.Equal(t, want, s.sum(), "%d numbers, %d at a time", n, cut)
		}
	}
}

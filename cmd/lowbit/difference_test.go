package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/safetensors"
)

// sidesOf are n elements of a type, and some of them with other values; 0 stands for those that are quantized.
func sidesOf(n int, types [2]safetensors.DType) (sides [2]elements) {
	r := rand.New(rand.NewPCG(1, 2))
	floats := [2][]float32{make([]float32, n), make([]float32, n)}
	for i := range n {
		v := float32(r.NormFloat64())
		floats[0][i], floats[1][i] = v, []float32{v, float32(math.Round(float64(v))), -v}[r.IntN(3)]
	}
	for i, t := range types {
		switch t {
		case 0:
			sides[i] = elements{floats: floats[i]}
		case safetensors.F32:
			toggleEndian(floats[i])
			sides[i] = elements{dtype: t, bytes: bytesOf(floats[i])}
		case safetensors.BF16:
			half := make([]bf16.BFloat16, n)
			for k, v := range floats[i] {
				half[k] = bf16.FromFloat32(v)
			}
			toggleEndian(half)
			sides[i] = elements{dtype: t, bytes: bytesOf(half)}
		}
	}
	return sides
}

// Floats are measured as all numbers are, to the last bit.
func TestMeasureFloats(t *testing.T) {
	for _, types := range [][2]safetensors.DType{{safetensors.F32, 0}, {0, 0}, {safetensors.BF16, safetensors.F32}, {safetensors.BF16, safetensors.BF16}, {safetensors.F32, safetensors.F32}} {
		for _, n := range []int{1, 2, 1001, 2050} {
			t.Run(fmt.Sprintf("%v %d", types, n), func(t *testing.T) {
				var ws measureWorkspace
				sides := sidesOf(n, types)
				got, ok := ws.measureFloats(sides, n, true)
				require.True(t, ok)
				var values [2][]float64
				for i, side := range sides {
					values[i] = make([]float64, n)
					side.values(values[i])
				}
				ws.values = values
				want := count(values[0], values[1])
				want.sums = sumUp(values[0], values[1])
				if types[0] == 0 || types[1] == 0 || types[0] == types[1] {
					for i, v := range values[0] {
						if math.Float64bits(v) != math.Float64bits(values[1][i]) {
							want.bits++
						}
					}
				}
				counts := got.errors
				got.errors = nil
				require.Equal(t, want, got)
				total := 0
				if counts != nil {
					errors := make([]float64, n)
					for i := range errors {
						errors[i] = values[0][i] - values[1][i]
					}
					require.Equal(t, countErrors(errors, want.worst), counts)
					for _, n := range counts.counts {
						total += n
					}
					require.Equal(t, n, total)
				}
			})
		}
	}
	t.Run("not finite", func(t *testing.T) {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			var ws measureWorkspace
			_, ok := ws.measureFloats([2]elements{{floats: []float32{1, float32(v)}}, {floats: []float32{1, 1}}}, 2, true)
			require.False(t, ok)
		}
	})
}

// Elements of every width are counted once, wherever in a word they are.
func TestDiffering(t *testing.T) {
	for _, bits := range []int{4, 6, 8, 16, 32, 64} {
		a := make([]byte, 24)
		for i := range 24 * 8 {
			b := make([]byte, 24)
			b[i/8] = 1 << (i % 8)
			require.Equal(t, 1, differing(bits, a, b), "bit %d of elements of %d", i, bits)
		}
		b := make([]byte, 24)
		for i := range b {
			b[i] = 0xff
		}
		require.Equal(t, 24*8/bits, differing(bits, a, b), bits)
	}
}

// Sums are the same whether a side is read by rows, which may be of any length, or by elements, and whatever the number of workers.
func TestCompareRows(t *testing.T) {
	in := save(t, place(t, "in.safetensors"), ramp("a", 37, 1000), ramp("b", 3, 20001), ramp("c", 2, 3, 5461), ramp("d", 50000))
	coded, plain := place(t, "coded"), place(t, "plain")
	works(t, "quantize", "--spec", `{"dtype":"int4","granularity":{"type":"per_channel","axis":0}}`, "-o", coded, in)
	works(t, "dequantize", "-o", plain, coded)
	find := regexp.MustCompile(`"(?:differ|max_abs_error|sqnr_db|cosine)":[^,}]*`)
	want := find.FindAllString(lowbit(t, "compare", "--json", in, plain).stdout, -1)
	require.NotEmpty(t, want)
	for _, workers := range []string{"1", "3"} {
		require.Equal(t, want, find.FindAllString(lowbit(t, "compare", "--json", "--workers", workers, in, coded).stdout, -1))
	}
}

package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/guard"
)

// Blocks of packed floats of six bits, which are done in one pass, by AVX-512 two at a time: any number of them, with
// NaN and infinities among usual elements, in the caches and past them.
func TestSixesInOnePass(t *testing.T) {
	src := newSource(77)
	for trial, groups := range []int{1, 2, 3, 7, 8, 9, 64, 301, 2*someGroups + 3} {
		f := []Format{E2M3Packed, E3M2Packed}[trial%2]
		g, n := Grid{1, groups, sixesLen}, groups*sixesLen
		x := make([]float32, n)
		scale := make([]float32, groups)
		for i := range scale {
			scale[i] = float32(math.Ldexp(1, src.IntN(40)-20))
		}
		p := FloatParams{Format: f, Dialect: TorchAO, Scales: ScaleE8M0, Scale: scale}
		nearFloats(src, x, g, &FloatParams{Format: []Format{E2M3, E3M2Packed}[trial%2], Scale: scale})
		for i := range x {
			if i%97 == trial {
				x[i] = []float32{nan32, inf, -inf, neg, -nan32, math.MaxFloat32, 1e-45}[src.IntN(7)]
			}
		}
		codes, want := make([]byte, f.Bytes(n)), make([]byte, f.Bytes(n))
		portableQuantizeFloat(want, x, g, &p)
		back, wanted := make([]float32, n+16), make([]float32, n)
		byScale := p
		byScale.Scale = make([]float32, groups)
		for i := range byScale.Scale { // of any kind
			byScale.Scale[i] = scale[i] * float32(1+src.Float64())
		}
		random := make([]byte, len(want)) // all codes, in no order
		for i := range random {
			random[i] = byte(src.Uint32())
		}
		portableDequantizeFloat(wanted, random, g, &byScale)
		forEachImplementation(t, func(t *testing.T) {
			where := fmt.Sprintf("%v, %d groups", f, groups)
			clear(codes)
			QuantizeFloat(codes, x, g, &p)
			require.Equal(t, want, codes, where)
			for _, from := range []int{-1, 0} {
				was := SetStreaming(from)
				for first := range 2 { // not at a cache line, the second time
					y := back[8*first:][:n]
					clear(y)
					DequantizeFloat(y, random, g, &byScale)
					sameFloats(t, where, wanted, y)
				}
				SetStreaming(was)
			}
		})
	}
}

// Packed floats of six bits become 16 bits in one pass: all codes, groups of tiles of any number, and scales of any kind, to the end of the memory that can be
// read. Products with powers of two that are no normal numbers of bfloat16 are among them.
func TestSixesToHalves(t *testing.T) {
	src := newSource(78)
	for trial, g := range []Grid{{1, 1, 32}, {1, 2, 16}, {1, 9, 32}, {1, 4, 64}, {1, 3, 48}, {1, 2, 20}, {2, 2, 32}, {1, 2*someGroups + 3, 32}} {
		n := g.Rows * g.Groups * g.Len
		for i, f := range []Format{E2M3Packed, E3M2Packed} {
			codes, memory := guard.Bytes(f.Bytes(n)), guard.Bytes(2*n)
			codes, memory = codes[len(codes)-f.Bytes(n):], memory[len(memory)-2*n:]
			for i := range codes {
				codes[i] = byte(src.Uint32())
			}
			for least := -150; least < 128; least += 1 + (i+trial+least)&7 {
				p := FloatParams{Format: f, Scale: make([]float32, g.Groups)}
				for i := range p.Scale {
					p.Scale[i] = float32(math.Ldexp(1, min(127, least+src.IntN(3))))
				}
				holdSixesToHalves[float16.Float16](t, memory, codes, g, &p)
				holdSixesToHalves[bf16.BFloat16](t, memory, codes, g, &p)
				p.Scale[src.IntN(g.Groups)] *= []float32{-1, 1.5, float32(1 + src.Float64()), 0, nan32, inf, neg}[src.IntN(7)]
				holdSixesToHalves[float16.Float16](t, memory, codes, g, &p)
				holdSixesToHalves[bf16.BFloat16](t, memory, codes, g, &p)
			}
		}
	}
}

func holdSixesToHalves[T Float](t *testing.T, memory, codes []byte, g Grid, p *FloatParams) {
	want, got := make([]T, g.Rows*g.Groups*g.Len), view[T](memory)
	portableDequantizeFloat(want, codes, g, p)
	for _, name := range assembled(t) {
		require.NoError(t, Use(name))
		DequantizeFloat(got, codes, g, p)
		require.True(t, slices.Equal(want, got), "%s: %v, %v, scales %v", name, p.Format, g, p.Scale)
	}
}

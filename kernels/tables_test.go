package kernels

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
)

// TestTables shows that elements of 16 bits that are looked up in tables of their group are those that are computed one by one: of every code, at
// scales of every exponent, among them those from which on there are tables, and where products are in the middle between two elements.
func TestTables(t *testing.T) {
	t.Run("float16", holdTables[float16.Float16])
	t.Run("bfloat16", holdTables[bf16.BFloat16])
}

func holdTables[T Float](t *testing.T) {
	scales := slices.Clone(specials)
	significands := []float64{1, -4. / 3, 1 + 0x1p-8, 0x1p-23 - 2, -1 - 0x3p-8, 1 + 0x1p-11}
	for exponent := -149; exponent < 128; exponent++ {
		for i := range effort(1, 6, 6) {
			scales = append(scales, float32(math.Ldexp(significands[(exponent+149+i)%len(significands)], exponent)))
		}
	}
	type call func(dst []T, src []byte, g Grid, scales []float32)
	calls := map[Format]call{}
	for _, f := range []Format{E4M3FN, E5M2, E2M1Packed} {
		calls[f] = func(dst []T, src []byte, g Grid, scales []float32) {
			DequantizeFloat(dst, src, g, &FloatParams{Format: f, Scale: scales})
		}
	}
	for _, f := range []Format{Int4, Uint4, Int2, Uint2} {
		least, most := f.Range()
		calls[f] = func(dst []T, src []byte, g Grid, scales []float32) {
			p := IntParams{Format: f, Min: least, Max: most, Scale: scales}
			DequantizeInt(dst, src, g, &p)
			for range p.Scale {
				p.ZeroPoint = append(p.ZeroPoint, int32(least+len(p.ZeroPoint)%(most-least+1)))
			}
			DequantizeInt(dst[len(dst)/2:], src[len(src)/2:], Grid{1, g.Groups, g.Len / 2}, &p)
		}
	}
	for f, run := range calls {
		src := make([]byte, f.Bytes(512))
		for i := range src {
			src[i] = byte(i)
			if i < len(src)/2 && i&0x7c == 0x7c { // in the first tiles there is no NaN
				src[i] ^= 0x40
			}
		}
		results := func() (all []T) {
			dst := make([]T, 512)
			for i := range scales {
				run(dst, src, Grid{1, 1, 512}, scales[i:][:1])
				all = append(all, dst...)
			}
			for i := range len(scales) - 1 { // a group with tables behind one without
				run(dst, src, Grid{1, 2, 256}, scales[i:][:2])
				all = append(all, dst...)
			}
			for i := 0; i+32 <= len(scales); i += 31 { // groups of which each tile has two
				run(dst, src, Grid{1, 32, 16}, scales[i:][:32])
				all = append(all, dst...)
			}
			for exponent := -149; exponent < 127; exponent++ { // groups of scales that are powers of two
				powers := make([]float32, 16)
				for i := range powers {
					powers[i] = float32(math.Ldexp(1, exponent+i%2))
				}
				run(dst, src, Grid{1, 16, 32}, powers)
				all = append(all, dst...)
				run(dst, src, Grid{1, 8, 64}, powers[:8])
				all = append(all, dst...)
			}
			return all
		}
		require.NoError(t, Use("generic"))
		want := results()
		forEachImplementation(t, func(t *testing.T) { require.True(t, slices.Equal(want, results()), "format %d", f) })
	}
}

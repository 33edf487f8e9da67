package kernels

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// byProducts chooses an implementation that multiplies where groups of 16-bit
// elements are long, and has groups count as such from a length on.
func byProducts(t *testing.T, least int) {
	const name = "avx512"
	if !slices.Contains(assembled(t), name) {
		t.Skip("nothing is done by products here")
	}
	require.NoError(t, Use(name))
	was := productLen
	t.Cleanup(func() { productLen = was })
	productLen = least
}

// trialScales are scales as they come about, some of which make elements' quotients
// middles between codes or nearly so.
func trialScales(r *source, elem asm.Elem, n int) (scales []float32) {
	for range n {
		most := elementValue(elem, nearestElement(elem, 1+float32(r.Float64())))
		for _, s := range []float32{
			most / 127.5, most / 127, most / 7.5, most / 448, most / 6, most / 255,
			elementValue(elem, nearestElement(elem, most/127.5)), float32(r.Float64()) + 0x1p-20, most,
		} {
			scales = append(scales, s)
		}
	}
	return append(scales, 1, 0x1p-20, 0x1.8p-3, 0x1p-80, 0x1p100, 0x1.000002p-10, 0x1.fffffep-4)
}

// TestProducts shows for many scales that products of all elements round as their
// quotients do if the middles between codes and an end do, and that most scales are
// of that kind.
func TestProducts(t *testing.T) {
	byProducts(t, productLen)
	r := newSource(9)
	for name, elem := range map[string]asm.Elem{"float16": asm.F16, "bfloat16": asm.BF16} {
		for _, most := range []int32{1, 7, 8, 127, 128, 255} {
			found, missed := 0, 0
			scales := trialScales(r, elem, effort(1, 8, 300))
			for _, s := range scales {
				recip, ok := product(asm.AVX512, elem, s, intMiddles(-most, most, 0), 0)
				wrong := 0
				forFinite(elem, func(x float32) {
					want, got := roundToEven(x/s), roundToEven(x*(1/s))
					if want <= float32(most) && want != got || want > float32(most) && got <= float32(most) {
						wrong++
					}
				})
				if ok {
					found++
					require.Equal(t, 1/s, recip)
					require.Zero(t, wrong, "%s, codes to %d, scale %v", name, most, s)
				} else if wrong > 0 {
					missed++
				}
			}
			assert.Greater(t, found, 7*len(scales)/10, "%s, codes to %d", name, most)
			t.Logf("%s, codes to %d: products do for %d of %d scales, not for %d", name, most, found, len(scales), missed)
		}
		for _, f := range []Format{E4M3FN, E5M2, E2M1} {
			found := 0
			scales := trialScales(r, elem, effort(1, 8, 300))
			for _, s := range scales {
				if _, ok := product(asm.AVX512, elem, s, f.middles(), f.Max()); !ok {
					continue
				}
				found++
				forFinite(elem, func(x float32) {
					want, got := x/s, x*(1/s)
					if (want <= f.Max()) != (got <= f.Max()) || f.round(min(want, f.Max())) != f.round(min(got, f.Max())) {
						require.Fail(t, "other results", "%s, %v, scale %v: %v", name, f, s, x)
					}
				})
			}
			assert.Greater(t, found, 7*len(scales)/10, "%s, %v", name, f)
		}
	}
}

// round rounds a number that is not negative to the values that a format has.
func (f Format) round(x float32) float32 {
	field, step := f.steps()
	place := max(math.Float32bits(x)&(0xff<<23), uint32(field)) - 127<<23
	ulp := math.Ldexp(1, int(int32(place)>>23)-23+int(step>>23))
	return float32(math.RoundToEven(float64(x)/ulp) * ulp)
}

// forFinite calls f with all elements of 16 bits that are not negative, but infinity and NaN.
func forFinite(elem asm.Elem, f func(x float32)) {
	for bits := range uint16(1 << 15) {
		if x := elementValue(elem, bits); x <= math.MaxFloat32 {
			f(x)
		}
	}
}

// TestProductKernels holds them against the portable implementation, for many
// lengths, at all offsets, past the caches too.
func TestProductKernels(t *testing.T) {
	byProducts(t, 1)
	r, l := newSource(10), newLab()
	count := 0
	for _, k := range table {
		if !strings.Contains(k.name, "Quantize") || k.operands[1].elem.size != 2 {
			continue
		}
		count++
		t.Run(k.name, func(t *testing.T) {
			for _, streams := range []bool{false, true} {
				if streams {
					streamAll(t, 65)
				}
				for length := 1; length <= 400; length += effort(9, 1, 1) {
					l.prepare(r, &k, Grid{1, 1, length})
					for _, p := range []place{{atEnd: true}, {offset: length % 64}, {offset: length % 64, atEnd: true}} {
						require.NoError(t, l.try(p), "%d, %+v", length, p)
					}
				}
				for offset := range 64 {
					g := Grid{1 + offset%3, 1 + offset%5, 8 * (1 + r.IntN(60))}
					l.prepare(r, &k, g)
					for _, p := range []place{{offset: offset}, {offset: offset, atEnd: true}} {
						require.NoError(t, l.try(p), "%+v, %+v", g, p)
					}
				}
			}
		})
	}
	assert.Greater(t, count, 50)
}

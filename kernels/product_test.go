package kernels

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// byProducts chooses an implementation that multiplies where groups of 16-bit
// elements are long, and has groups count as such from a length on.
func byProducts(t *testing.T, least int) {
	const name = "avx512"
	if !slices.Contains(assembled(t), name) {
		t.Skip("nothing is done by products here")
	}
	was := productLen
	t.Cleanup(func() { setProductLen(was) })
	setProductLen(least)
	require.NoError(t, Use(name))
}

// setProductLen changes what is long, and with that what is small.
func setProductLen(n int) {
	productLen = n
	SetStreaming(int(streamFrom.Load()))
}

// shortElems are names of the elements that have 16 bits.
var shortElems = [...]string{asm.F16: "float16", asm.BF16: "bfloat16"}

// trialScales are scales as they come about, some of which make elements' quotients
// middles between codes or nearly so.
func trialScales(r *source, elem asm.Elem, n int) (scales []float32) {
	for range n {
		most := elementValue(elem, nearestElement(elem, 1+float32(r.Float64())))
		scales = append(scales,
			most/127.5, most/127, most/7.5, most/448, most/6, most/255,
			elementValue(elem, nearestElement(elem, most/127.5)), float32(r.Float64())+0x1p-20, most,
		)
	}
	return append(scales, 1, 0x1p-20, 0x1.8p-3, 0x1p-80, 0x1p100, 0x1.000002p-10, 0x1.fffffep-4)
}

// TestProducts shows for many scales that products of all elements round as their
// quotients do if the middles between codes and an end do, and that most scales are
// of that kind.
func TestProducts(t *testing.T) {
	byProducts(t, productLen)
	r := newSource(9)
	for elem, name := range shortElems {
		elem := asm.Elem(elem)
		if name == "" {
			continue
		}
		for _, most := range []int32{1, 7, 8, 127, 128, 255} {
			found, missed := 0, 0
			scales := trialScales(r, elem, effort(1, 8, 300))
			for _, s := range scales {
				recip, ok := product(asm.AVX512, elem, s, intMiddles(-most, most, 0), 0)
				wrong, last := 0, float32(0)
				forFinite(elem, func(x float32) {
					want, got := roundToEven(x/s), roundToEven(x*(1/s))
					if want <= float32(most) {
						last = x
					}
					if want <= float32(most) && want != got || want > float32(most) && got <= float32(most) {
						wrong++
					}
				})
				x, clips := lastInside(elem, s, float32(most))
				require.Equal(t, last, elementValue(elem, uint16(x)), "%s, codes to %d, scale %v", name, most, s)
				require.Equal(t, x>>16, x&0xffff)
				ends := roundToEven(last/s) == float32(most) || uint16(x) == lastFinite(elem)
				require.Equal(t, ends, clips, "%s, codes to %d, scale %v", name, most, s)
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

// TestProductsReached shows from which length on products are used: with nothing
// tried, a scale for which they will not do gives wrong results there.
func TestProductsReached(t *testing.T) {
	byProducts(t, productLen)
	was := middles
	t.Cleanup(func() { middles = was })
	middles = [mostMiddles]float32{}
	t.Run("float16", productsReached[float16.Float16])
	t.Run("bfloat16", productsReached[bf16.BFloat16])
}

func productsReached[T Float](t *testing.T) {
	r := newSource(11)
	elem := elemOf[T]()
	var x, s float32
	for missed := false; !missed; missed = roundToEven(x/s) != roundToEven(x*(1/s)) {
		x = elementValue(elem, nearestElement(elem, 1+float32(r.Float64())))
		s = x / (float32(8+r.IntN(7)) + 0.5) // between codes of E4M3 that are integers
	}
	for length := productLen - 1; length <= productLen; length++ {
		src, g := make([]T, length), Grid{1, 1, length}
		for i := range src {
			src[i] = rounded[T](x)
		}
		scale := []float32{s}
		got, want := make([]T, length), make([]T, length)
		codes, wantCodes := make([]byte, length), make([]byte, length)
		ints, wantInts := make([]int8, length), make([]int8, length)
		reached := length == productLen
		for _, p := range []*IntParams{{Min: -128, Max: 127, Scale: scale}, {Min: -127, Max: 127, Scale: scale}, {Min: -128, Max: 127, Scale: scale, ZeroPoint: []int32{3}}} {
			FakeQuantizeInt(got, NoMask, src, g, p)
			portableFakeQuantizeInt(want, NoMask, src, g, p)
			assert.Equal(t, reached, got[0] != want[0], "%d", length)
			QuantizeInt(ints, src, g, p)
			portableQuantizeInt(bytesOf(wantInts), src, g, p, Int8)
			assert.Equal(t, reached, ints[0] != wantInts[0], "%d", length)
		}
		p := &FloatParams{Format: E4M3FN, Scale: scale}
		FakeQuantizeFloat(got, NoMask, src, g, p)
		portableFakeQuantizeFloat(want, NoMask, src, g, p)
		assert.Equal(t, reached, got[0] != want[0], "%d", length)
		QuantizeFloat(codes, src, g, p)
		portableQuantizeFloat(wantCodes, src, g, p)
		assert.Equal(t, reached, codes[0] != wantCodes[0], "%d", length)
	}
}

// TestProductsBeyondZeroPoint quantizes elements that products get wrong and that
// are within the range for their zero point alone.
func TestProductsBeyondZeroPoint(t *testing.T) {
	byProducts(t, 2)
	r := newSource(12)
	src, g := make([]bf16.BFloat16, 64), Grid{1, 1, 64}
	got, want := make([]int8, 64), make([]int8, 64)
	for found := 0; found < 50; {
		x := elementValue(asm.BF16, nearestElement(asm.BF16, 1+float32(r.Float64())))
		s := x / (float32(130+r.IntN(100)) + 0.5)
		if roundToEven(x/s) == roundToEven(x*(1/s)) {
			continue
		}
		found++
		for i := range src {
			src[i] = bf16.FromFloat32(x)
		}
		p := &IntParams{Min: -128, Max: 127, Scale: []float32{s}, ZeroPoint: []int32{-120}}
		QuantizeInt(got, src, g, p)
		portableQuantizeInt(bytesOf(want), src, g, p, Int8)
		require.Equal(t, want, got, "%v / %v", x, s)
	}
}

// round rounds a number that is not negative to the values that a format has.
func (f Format) round(x float32) float32 {
	field, step := formats[f].field, formats[f].step
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
	byProducts(t, 2)
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
					l.hold(t, place{atEnd: true}, place{offset: length % 64}, place{offset: length % 64, atEnd: true})
				}
				for offset := range 64 {
					g := Grid{1 + offset%3, 1 + offset%5, 2 + r.IntN(400)}
					if offset%2 == 0 {
						g.Len = 8 * (1 + r.IntN(60))
					}
					l.prepare(r, &k, g)
					l.hold(t, place{offset: offset}, place{offset: offset, atEnd: true}, place{offset: offset, apart: r.IntN(64)})
				}
			}
		})
	}
	assert.Greater(t, count, 50)
}

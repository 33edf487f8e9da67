package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOneOddScale dequantizes with one scale that no shortcut serves, in each group in turn, so
// that a tile of any shape must find it wherever it is.
func TestOneOddScale(t *testing.T) {
	for _, name := range assembled(t) {
		require.NoError(t, Use(name))
		for _, g := range []Grid{{2, 130, 1}, {1, 9, 16}, {1, 5, 32}, {1, 3, 33}, {1, 3, 64}, {1, 2, 200}} {
			p := &FloatParams{Format: E4M3FN, Scale: unit(g)}
			codes := make([]byte, elements(g))
			for i := range codes {
				codes[i] = byte(i) &^ 0x40 // no NaN
			}
			got, want := make([]float32, len(codes)), make([]float32, len(codes))
			for group := range p.Scale {
				for _, s := range []float32{0x1p120, -0x1.8p125, inf, nan} {
					p.Scale[group] = s
					DequantizeFloat(got, codes, g, p)
					portableDequantizeFloat(want, codes, g, p)
					require.Equal(t, -1, differ(f32, view4(got), view4(want)), "%s: %v, group %d, scale %v", name, g, group, s)
				}
				p.Scale[group] = 1
			}
		}
	}
}

// TestOneOddScaleOfIntegers is the same of integers: with a scale that is not above 0 there is no -0, and the smallest ones are exact.
func TestOneOddScaleOfIntegers(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		for _, g := range []Grid{{2, 40, 1}, {1, 20, 16}, {1, 19, 32}, {1, 18, 33}, {1, 2, 64}} {
			for _, f := range []Format{Int8, Uint8, Int6, Uint6, Int4, Uint4, Int2, Uint2} {
				p := &IntParams{Format: f, Min: formats[f].least, Max: formats[f].most, Scale: unit(g)}
				codes := make([]byte, f.Bytes(elements(g)))
				for i := range codes {
					codes[i] = byte(37 * i)
				}
				for group := range p.Scale {
					for i, s := range []float32{0, float32(math.Copysign(0, -1)), -3, math.SmallestNonzeroFloat32, 0x1.23456p-110, -0x1.23456p-120, math.MaxFloat32, inf, nan} {
						p.Scale[group], p.ZeroPoint = s, nil
						if (group+i)%4 == 0 {
							p.ZeroPoint = make([]int32, g.Groups)
							p.ZeroPoint[group] = 1
						}
						got, want := make([]float32, elements(g)), make([]float32, elements(g))
						DequantizeInt(got, codes, g, p)
						portableDequantizeInt(want, codes, g, p, f)
						require.Equal(t, -1, differ(f32, view4(got), view4(want)), "%v: %v, group %d, scale %v", f, g, group, s)
					}
					p.Scale[group] = 1
				}
			}
		}
	})
}

// TestStoredScales has scales of two bytes without zero points or minvals, which table_test.go always has with them.
func TestStoredScales(t *testing.T) {
	x := make([]float32, 200*32)
	src := newSource(77)
	for i := range x {
		x[i] = float32(math.Ldexp(src.Float64()-.5, i/32-150))
	}
	x[7*32], x[9*32], x[11*32+5] = float32(math.Inf(-1)), nan32, math.MaxFloat32
	g := Grid{1, 200, 32}
	forEachImplementation(t, func(t *testing.T) {
		for _, scales := range []ScaleType{ScaleFloat16, ScaleBFloat16} {
			r := IntRule{Min: -8, Max: 7, Scales: scales, Scale: make([]float32, g.Groups)}
			want, codes, wanted := r, make([]int8, len(x)), make([]byte, len(x))
			want.Scale = make([]float32, g.Groups)
			portableObserveInt(x, g, &want)
			p := want.params(0, g.Groups)
			portableQuantizeInt(wanted, x, g, &p, Int8)
			DynamicInt(codes, x, g, &r)
			sameFloats(t, scales.String(), want.Scale, r.Scale)
			require.Equal(t, wanted, bytesOf(codes), scales)
		}
	})
}

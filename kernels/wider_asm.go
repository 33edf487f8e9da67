package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// A float code is read as an E4M3 or an E5M2 code if it has as many mantissa bits. Its value is that code's times
// wider, a power of two that brings the least normal number of the one format to that of the other, so that the
// subnormals are the same, too. Scales are made wider for that; one that does not bear it has its groups done
// without assembly.

// narrowest and widest are the magnitudes of scales that bear it.
const narrowest, widest = 0x1p-100, 0x1p100

// widened writes wider scales for some groups, and reports whether they bear it.
func widened(impl isa, dst, scale []float32, wider float32) bool {
	if wider > 1 {
		var most float32
		asm.AbsMax[float32](impl, asm.F32, unsafe.Pointer(&scale[0]), &most, 1, len(scale))
		asm.Product(impl, &dst[0], &scale[0], &wider, minusZeros[0], nan32, 1, len(scale), 0)
		return most <= widest // and no NaN
	}
	ok := true
	for i, s := range scale {
		dst[i] = s * wider
		ok = ok && (narrowest <= s && s <= widest || -widest <= s && s <= -narrowest) // and no NaN
	}
	return ok
}

// dequantizeFloatWider is dequantizeFloatAsm for codes that are read as another format's, of six bits or of a byte.
func dequantizeFloatWider[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams) {
	var codes [betweenBytes + 4]byte
	var scale [someGroups]float32
	f, six := p.Format, p.Format.isSix()
	s := spans{g: g, n: g.Groups, most: mostElements}
	if six {
		s.most = betweenBytes
	}
	if f.isPacked() {
		f = formats[f].bytes
	}
	for s.advance() {
		for first := 0; first < s.groups; first += len(scale) {
			groups := min(len(scale), s.groups-first)
			at, n := s.off+first*s.length, groups*s.length
			var q []byte
			if f == p.Format {
				q = src[at:][:n]
			} else {
				before := at % 4
				unpackSixesAsm(impl, codes[:before+n], src[at/4*3:], false, true)
				q = codes[before:][:n]
			}
			part, one := Grid{1, groups, s.length}, FloatParams{Format: f, Scale: p.Scale[s.first+first:][:groups]}
			if !widened(impl, scale[:groups], one.Scale, formats[f].wider) {
				if f != p.Format {
					signsDown(q)
				}
				portableDequantizeFloat(dst[at:][:n], q, part, &one)
				continue
			}
			if six && f == p.Format {
				signsUp(codes[:n], q)
				q = codes[:n]
			}
			one.Scale = scale[:groups]
			dequantizeFloatAsm(impl, dst[at:][:n], q, part, &one)
		}
	}
}

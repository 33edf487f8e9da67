package kernels

// A float code is read as an E4M3 or an E5M2 code if it has as many mantissa bits. Its value is that code's times
// wider, a power of two that brings the least normal number of the one format to that of the other, so that the
// subnormals are the same, too. Scales are made wider for that; one that does not bear it has its groups done
// without assembly.

// narrowest and widest are the magnitudes of scales that bear it.
const narrowest, widest = 0x1p-100, 0x1p100

// widened writes wider scales for some groups, and reports whether they bear it.
func widened(dst, scale []float32, wider float32) bool {
	least := float32(0)
	if wider < 1 {
		least = narrowest
	}
	ok := true
	for i, s := range scale {
		dst[i] = s * wider
		ok = ok && (least <= s && s <= widest || -widest <= s && s <= -least) // and no NaN
	}
	return ok
}

// dequantizeFloatWider is dequantizeFloatAsm for codes of a byte that are read as another format's.
func dequantizeFloatWider[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams) {
	var scale [someGroups]float32
	s := spans{g: g, n: g.Groups, most: mostElements}
	for s.advance() {
		for first := 0; first < s.groups; first += len(scale) {
			groups := min(len(scale), s.groups-first)
			at, n := s.off+first*s.length, groups*s.length
			one := FloatParams{Format: p.Format, Scale: p.Scale[s.first+first:][:groups]}
			if !widened(scale[:groups], one.Scale, formats[p.Format].wider) {
				portableDequantizeFloat(dst[at:][:n], src[at:][:n], Grid{1, groups, s.length}, &one)
				continue
			}
			one.Scale = scale[:groups]
			dequantizeFloatAsm(impl, dst[at:][:n], src[at:][:n], Grid{1, groups, s.length}, &one)
		}
	}
}

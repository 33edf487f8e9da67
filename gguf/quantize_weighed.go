package gguf

// quantizeSignedWeighed is Q4_0 and Q5_0 with an importance matrix; mean is that of the squares of the row.
func (f *fits) quantizeSignedWeighed(dst []byte, x []float32, t Type, im []float32, mean float32) {
	n := int32(8)
	if t == Q5_0 {
		n = 16
	}
	f.byMean(im, mean)
	f.searchSymmetric(x, 32, float32(n))
	clear(f.base[:])
	f.leveler.first(&f.found, x, -n, n-1, func(codes []byte, x []float32, g int) { f.firstSymmetric(codes, x, g, n) })
	for i, size := 0, t.BlockBytes(); len(dst) > 0; i, dst = i+1, dst[size:] {
		codes := (*[32]byte)(f.leveler.codes[32*i:])
		putHalf(dst, toHalf(f.scale[i]))
		if t == Q4_0 {
			pack4((*[16]byte)(dst[2:]), codes)
		} else {
			pack5((*[20]byte)(dst[2:]), codes)
		}
	}
}

// quantizeRangedWeighed is Q4_1 and Q5_1 with an importance matrix; mean is that of the squares of the row.
func (f *fits) quantizeRangedWeighed(dst []byte, x []float32, t Type, im []float32, mean float32) {
	s, n := &search4Weighed, int32(15)
	if t == Q5_1 {
		s, n = &search5Weighed, 31
	}
	f.byMean(im, mean)
	f.searchRanged(s, x, 32)
	f.leveler.first(&f.found, x, 0, n, func(codes []byte, x []float32, g int) { f.firstRanged(codes, x, g, n) })
	for i, size := 0, t.BlockBytes(); len(dst) > 0; i, dst = i+1, dst[size:] {
		codes := (*[32]byte)(f.leveler.codes[32*i:])
		putHalf(dst, toHalf(f.scale[i]))
		putHalf(dst[2:], toHalf(-f.least[i]))
		if t == Q4_1 {
			pack4((*[16]byte)(dst[4:]), codes)
		} else {
			pack5((*[20]byte)(dst[4:]), codes)
		}
	}
}

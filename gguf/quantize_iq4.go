package gguf

import "encoding/binary"

// quantizeIQ4 is IQ4_NL and IQ4_XS, which has groups of 32 with a scale of six bits.
func (f *fits) quantizeIQ4(dst []byte, x []float32, t Type, im []float32) {
	f.weighing.kind, f.weighing.importance = bySquare, im
	if im != nil {
		f.weighing.kind = byImportance
		length := t.BlockLen()
		sumsOfSquares(x, length, func(block int, sum float32) {
			mean := float32(sum * (2 / float32(length)))
			for g := range length / 32 {
				f.weighing.means[length/32*block+g] = mean
			}
		})
	}
	f.searchIQ4(x)
	l := &f.leveler
	if t == IQ4_XS {
		for i := range len(x) / 256 {
			l.stepsIQ4_XS((*[8]byte)(dst[136*i:]), (*[8]float32)(f.scale[8*i:]), i)
		}
		l.values(&f.found, x)
		for g := range len(x) / 32 {
			pack4((*[16]byte)(dst[g/8*136+8+g%8*16:]), (*[32]byte)(l.codes[32*g:]))
		}
		return
	}
	for g := range len(x) / 32 {
		factor := inverse(f.scale[g])
		l.scales[2*g], l.scales[2*g+1] = factor, factor
	}
	l.values(&f.found, x)
	for g := range len(x) / 32 {
		b := dst[18*g:][:18]
		putHalf(b, toHalf(f.scale[g]))
		pack4((*[16]byte)(b[2:]), (*[32]byte)(l.codes[32*g:]))
	}
}

// stepsIQ4_XS writes the scales of block i, and sets what its codes are found with.
func (l *leveler) stepsIQ4_XS(b *[8]byte, scales *[8]float32, i int) {
	d := -firstLargest(scales[:]) / 32
	clear(b[:])
	putHalf(b[:], toHalf(d))
	id := inverse(d)
	high := uint16(0)
	factors := (*[16]float32)(l.scales[16*i:])
	for g, s := range scales {
		step := max(min(rounded(float32(id*s)), 31), -32)
		factor := inverse(float32(d * float32(step)))
		factors[2*g], factors[2*g+1] = factor, factor
		code := byte(step + 32)
		b[4+g/2] |= code & 15 << (4 * (g % 2))
		high |= uint16(code>>4) << (2 * g)
	}
	binary.LittleEndian.PutUint16(b[2:], high)
}

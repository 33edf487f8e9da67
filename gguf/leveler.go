package gguf

import "github.com/lowbit-go/lowbit/internal/asm"

// leveler writes the codes of a block of 256 elements when the scales of its groups are known.
type leveler struct {
	impl    asm.ISA
	length  int         // of a group
	largest []float32   // the largest magnitude of each group, but for the portable code
	scales  [16]float32 // of each sixteen elements
	offsets [16]float32
	codes   [256]byte
}

// set sets the scale and the offset of a group.
func (l *leveler) set(g int, scale, offset float32) {
	for i := g * l.length / 16; i < (g+1)*l.length/16; i++ {
		l.scales[i], l.offsets[i] = scale, offset
	}
}

// offset writes clamp(round((x + offset) / scale), 0, n) for groups whose scale is not 0.
func (l *leveler) offset(x *[256]float32, n int32) {
	l.assemble(x, 0, n, 0)
	for g := range 256 / l.length {
		if at := l.length * g; !l.assembled(g) {
			offsetCodes(l.codes[at:at+l.length], x[at:], l.scales[at/16], l.offsets[at/16], n)
		}
	}
}

// signed writes clamp(round(x / scale), -n, n-1) + n for groups whose scale is not 0.
func (l *leveler) signed(x *[256]float32, n int32) {
	clear(l.offsets[:])
	l.assemble(x, -n, n-1, -n)
	for g := range 256 / l.length {
		if at := l.length * g; !l.assembled(g) {
			signedCodes(l.codes[at:at+l.length], x[at:], l.scales[at/16], n)
		}
	}
}

// assemble writes the codes of all groups by generated code.
func (l *leveler) assemble(x *[256]float32, least, most, zero int32) {
	if l.impl != asm.Generic {
		levels := [3]float32{float32(least), float32(most), magic32 + float32(zero)}
		asm.LevelCodes(l.impl, &l.codes[0], &x[0], &l.offsets[0], &l.scales[0], &levels[0], 256/writtenAtOnce)
	}
}

// assembled tells whether those of a group are right, or its scale is 0: its quotients are numbers that are rounded as others are.
func (l *leveler) assembled(g int) bool {
	i := l.length * g / 16
	return l.scales[i] == 0 || l.impl != asm.Generic && l.largest[g]+l.offsets[i] < 4e6*abs32(l.scales[i])
}

// offsetCodes writes clamp(round((x + offset) / scale), 0, n).
func offsetCodes(codes []byte, x []float32, scale, offset float32, n int32) {
	x = x[:len(codes)]
	for i, v := range x {
		codes[i] = byte(max(min(rounded((v+offset)/scale), n), 0))
	}
}

// signedCodes writes clamp(round(x / scale), -n, n-1) + n.
func signedCodes(codes []byte, x []float32, scale float32, n int32) {
	x = x[:len(codes)]
	for i, v := range x {
		codes[i] = byte(max(min(rounded(v/scale), n-1), -n) + n)
	}
}

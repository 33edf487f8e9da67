package gguf

import "github.com/lowbit-go/lowbit/internal/asm"

// leveler writes the codes of a block of 256 elements when the scales of its groups are known.
type leveler struct {
	impl      asm.ISA
	t         Type
	length    int       // of a group
	low, high []float32 // the least and the greatest element of each group, but for the portable code
	scales    [16]float32
	offsets   [16]float32
	codes     [256]byte
}

// offset writes clamp(round((x + offset) / scale), 0, n) for groups whose scale is not 0.
func (l *leveler) offset(codes *[256]byte, x *[256]float32, n int32) {
	l.assemble(x)
	for g := range 256 / l.length {
		if q, group := codes[l.length*g:][:l.length], x[l.length*g:][:l.length]; l.assembled(g) {
			copy(q, l.codes[l.length*g:])
		} else if l.scales[g] != 0 {
			offsetCodes(q, group, l.scales[g], l.offsets[g], n)
		}
	}
}

// signed writes clamp(round(x / scale), -n, n-1) + n for groups whose scale is not 0.
func (l *leveler) signed(codes *[256]byte, x *[256]float32, n int32) {
	clear(l.offsets[:])
	l.assemble(x)
	for g := range 256 / l.length {
		if q, group := codes[l.length*g:][:l.length], x[l.length*g:][:l.length]; l.assembled(g) {
			copy(q, l.codes[l.length*g:])
		} else if l.scales[g] != 0 {
			signedCodes(q, group, l.scales[g], n)
		}
	}
}

// assemble writes the codes of all groups by generated code.
func (l *leveler) assemble(x *[256]float32) {
	if l.impl != asm.Generic {
		asm.LevelCodes(l.impl, blockKernels[l.t], &l.codes[0], &x[0], &l.offsets[0], &l.scales[0], 256/writtenAtOnce)
	}
}

// assembled tells whether those of a group are right: its quotients are numbers that are rounded as others are.
func (l *leveler) assembled(g int) bool {
	return l.impl != asm.Generic && max(l.high[g], -l.low[g])+l.offsets[g] < 4e6*abs32(l.scales[g])
}

// offsetCodes writes clamp(round((x + offset) / scale), 0, n).
func offsetCodes(codes []byte, x []float32, scale, offset float32, n int32) {
	codes = codes[:len(x)]
	for i, v := range x {
		codes[i] = byte(max(min(rounded((v+offset)/scale), n), 0))
	}
}

// signedCodes writes clamp(round(x / scale), -n, n-1) + n.
func signedCodes(codes []byte, x []float32, scale float32, n int32) {
	codes = codes[:len(x)]
	for i, v := range x {
		codes[i] = byte(max(min(rounded(v/scale), n-1), -n) + n)
	}
}

package gguf

import (
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
)

// codedAtOnce is the number of elements of which generated code writes codes at a time.
const codedAtOnce = 64

// leveler writes the codes of a piece when the scales of its groups are known.
type leveler struct {
	scales, offsets [pieceLen / 16]float32 // of each sixteen elements
	codes           [pieceLen]byte
}

// firstCodes are those that the search has found for a group.
type firstCodes func(codes []byte, x []float32, g int, n int32)

// offset writes clamp(round((x + offset) / scale), 0, n), or what the search has found for groups whose scale is 0.
func (l *leveler) offset(f *found, x []float32, length int, n int32, first firstCodes) {
	l.assemble(x, 0, n, 0)
	l.others(f, x, length, func(codes []byte, x []float32, g int) {
		if scale := l.scales[g*length/16]; scale != 0 {
			offsetCodes(codes, x, scale, l.offsets[g*length/16], n)
		} else {
			first(codes, x, g, n)
		}
	})
}

// signed writes clamp(round(x / scale), -n, n-1) + n, or what the search has found.
func (l *leveler) signed(f *found, x []float32, length int, n int32, first firstCodes) {
	clear(l.offsets[:])
	l.assemble(x, -n, n-1, -n)
	l.others(f, x, length, func(codes []byte, x []float32, g int) {
		if scale := l.scales[g*length/16]; scale != 0 {
			signedCodes(codes, x, scale, n)
		} else {
			first(codes, x, g, n)
		}
	})
}

// assemble writes the codes of all groups by generated code.
func (l *leveler) assemble(x []float32, least, most, zero int32) {
	if impl := isa.Current(); impl != asm.Generic {
		levels := levelsOf(least, most, zero)
		asm.LevelCodes(impl, &l.codes[0], &x[0], &l.offsets[0], &l.scales[0], &levels[0], len(x)/codedAtOnce)
	}
}

// levelsOf are what kernels take.
func levelsOf(least, most, zero int32) [3]float32 {
	return [3]float32{float32(least), float32(most), magic32 + float32(zero)}
}

// first writes the codes that the search has found for groups of 32, with levels from least to most, those that first gives.
func (l *leveler) first(f *found, x []float32, least, most int32, first func(codes []byte, x []float32, g int)) {
	coded := 0
	if impl := isa.Current(); impl != asm.Generic && len(x) >= codedAtOnce {
		coded = len(x) / 32 &^ 1
		for g := range coded {
			factor, base := f.inverse[g], f.base[g]
			l.scales[2*g], l.scales[2*g+1], l.offsets[2*g], l.offsets[2*g+1] = factor, factor, base, base
		}
		levels := levelsOf(least, most, least)
		asm.ProductCodes(impl, &l.codes[0], &x[0], &l.offsets[0], &l.scales[0], &levels[0], coded/2)
	}
	for g := range len(x) / 32 {
		if g >= coded || f.flat[g] || !((f.largest[g]+abs32(f.base[g]))*abs32(f.inverse[g]) < 4e6) {
			first(l.codes[32*g:][:32], x[32*g:][:32], g)
		}
	}
}

// others visits the groups whose codes generated code has not written, or not the right ones: those whose scale is 0, and those with quotients that
// are no numbers or round in another way than others.
func (l *leveler) others(f *found, x []float32, length int, visit func(codes []byte, x []float32, g int)) {
	generic, each := isa.Current() == asm.Generic, length/16
	for g, largest := range f.largest[:len(x)/length] {
		at := g * each & (len(l.scales) - 1)
		if generic || !(largest+l.offsets[at] < 4e6*abs32(l.scales[at])) {
			visit(l.codes[g*length:][:length], x[g*length:][:length], g)
		}
	}
}

// values writes the codes of IQ4_NL for x times what the scales are here, a factor.
func (l *leveler) values(f *found, x []float32) {
	coded := 0
	if impl := isa.Current(); impl != asm.Generic && impl != asm.NEON {
		coded = len(x) / codedAtOnce
	}
	if coded > 0 {
		asm.ValueCodes(isa.Current(), &l.codes[0], &x[0], &l.scales[0], coded)
	}
	for g := range len(x) / 32 {
		if factor := l.scales[2*g]; g >= coded*codedAtOnce/32 || !(f.largest[g]*abs32(factor) < infinity) {
			valueCodes(l.codes[32*g:][:32], x[32*g:][:32], factor)
		}
	}
}

// valueCodes writes the codes of IQ4_NL for x times a factor.
func valueCodes(codes []byte, x []float32, factor float32) {
	codes = codes[:len(x)]
	for i, v := range x {
		if v := float32(factor * v); v > -256 && v < 256 { // hardly any is not, while about one of a group is at an end of the values
			codes[i] = iq4Nearest[iq4Index(v)&1023]
		} else {
			codes[i] = iq4Code(v)
		}
	}
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

package asm

import (
	"fmt"
	"strings"
)

// Mem is a place in memory.
type Mem struct {
	base  R
	off   int
	frame bool
}

// At is the place off bytes behind a general register.
func At(base R, off int) Mem {
	base.name()
	return Mem{base: base, off: off}
}

// Frame is the place at byte off of the function's frame, which is aligned to 16.
func Frame(off int) Mem { return Mem{off: off, frame: true} }

// padding is what lies below the frame: the saved link register, padded.
const padding = 16

// place checks an access of size bytes and prints its address. One instruction
// reaches 4096 multiples of its size, or 256 bytes either way.
func (p *Printer) place(name string, a Mem, size int) string {
	base := a.base.name()
	if a.frame {
		within(name, "offset in the frame", a.off, 0, p.frame-size)
		a.off += padding
		base = "RSP"
	}
	if a.off%size == 0 && a.off >= 0 {
		within(name, "offset", a.off, 0, 4095*size)
	} else {
		within(name, "offset that is no multiple of the size", a.off, -256, 255)
	}
	if a.off == 0 {
		return "(" + base + ")"
	}
	return fmt.Sprintf("%d(%s)", a.off, base)
}

// simd encodes a load or store of B or H, which Go's assembler lacks.
func (p *Printer) simd(base uint32, name string, s Size, v V, a Mem) {
	p.place(name, a, s.bytes())
	op := strings.ToLower(name[:2])
	reg, text := uint32(a.base), fmt.Sprintf("x%d", a.base)
	if a.frame {
		a.off += padding
		reg, text = 31, "sp"
	}
	if a.off != 0 {
		text += fmt.Sprintf(", #%d", a.off)
	}
	code := base | uint32(s)<<30 | reg<<5 | v.bits()
	if a.off >= 0 && a.off%s.bytes() == 0 {
		p.word(code|1<<24|uint32(a.off/s.bytes())<<10, "%sr %s%d, [%s]", op, s.lower(), v, text)
	} else {
		p.word(code|uint32(a.off)&0x1ff<<12, "%sur %s%d, [%s]", op, s.lower(), v, text)
	}
}

// moved is a whole register that the line before loads or stores.
type moved struct {
	load       bool
	a          Mem
	v          V
	begin, end int // of the line
}

// move prints the load or the store of a whole register: in one instruction with that of the line before, if its place is just below.
func (p *Printer) move(load bool, v V, a Mem, place string) {
	last := p.moved
	p.moved = moved{load, a, v, p.buf.Len(), 0}
	below := last.a
	below.off += 16
	if last.end == p.buf.Len() && last.load == load && below == a && last.v != v && last.a.off >= -1024 && last.a.off <= 1008-padding && a.off%16 == 0 {
		_, at, _ := strings.Cut(string(p.buf.Bytes()[last.begin:last.end]), " ")
		registers := fmt.Sprintf("(%s, %s)", last.v.float(), v.float())
		p.buf.Truncate(last.begin)
		if load {
			p.op("FLDPQ", at[:strings.Index(at, ",")], registers)
		} else {
			p.op("FSTPQ", registers, strings.TrimSpace(at[strings.Index(at, ",")+2:]))
		}
		p.moved = moved{}
		return
	}
	if load {
		p.op("FMOVQ", place, v.float())
	} else {
		p.op("FMOVQ", v.float(), place)
	}
	p.moved.end = p.buf.Len()
}

// LDR loads an element into lane 0 of d; the rest of d is 0. Two whole registers, one behind the other, are loaded by one instruction, and stored so.
func (p *Printer) LDR(s Size, d V, a Mem) {
	sized("LDR", s, B, Q)
	if s < S {
		p.simd(0x3c400000, "LDR", s, d, a)
		return
	}
	at := p.place("LDR", a, s.bytes())
	if s == Q {
		p.move(true, d, a, at)
		return
	}
	p.op("FMOV"+s.letter(), at, d.float())
}

// STR stores lane 0 of n.
func (p *Printer) STR(s Size, a Mem, n V) {
	sized("STR", s, B, Q)
	if s < S {
		p.simd(0x3c000000, "STR", s, n, a)
		return
	}
	at := p.place("STR", a, s.bytes())
	if s == Q {
		p.move(false, n, a, at)
		return
	}
	p.op("FMOV"+s.letter(), n.float(), at)
}

// LD1P loads count whole registers, d and those that follow, then base += 16*count.
func (p *Printer) LD1P(d V, count int, base R) {
	p.op("VLD1.P", fmt.Sprintf("%d(%s)", 16*count, base.name()), d.list("LD1P", count))
}

// ST1P stores count whole registers, n and those that follow, then base += 16*count.
func (p *Printer) ST1P(base R, n V, count int) {
	p.op("VST1.P", n.list("ST1P", count), fmt.Sprintf("%d(%s)", 16*count, base.name()))
}

// LD1R loads one element into every lane of d.
func (p *Printer) LD1R(s Size, d V, base R) {
	sized("LD1R", s, B, D)
	p.op("VLD1R", "("+base.name()+")", "["+d.of(s)+"]")
}

// LDRARG loads an argument of the function, S or D, into lane 0 of d; the rest
// of d is 0. off is its distance from the first argument.
func (p *Printer) LDRARG(s Size, d V, name string, off int) {
	sized("LDRARG", s, S, D)
	p.op("FMOV"+s.letter(), argument("LDRARG", s, name, off), d.float())
}

// argument is Go's name for one, which go vet holds against the declaration.
func argument(method string, s Size, name string, off int) string {
	within(method, "offset of an argument", off, 0, 4096)
	if name == "" || off%s.bytes() != 0 {
		fail("%s: argument %q at %d", method, name, off)
	}
	return fmt.Sprintf("%s+%d(FP)", name, off)
}

package asm

import "fmt"

// Bitwise logic on whole registers.

// AND is d = n & m.
func (p *Printer) AND(d, n, m V) { p.full("VAND", B, d, n, m) }

// ORR is d = n | m.
func (p *Printer) ORR(d, n, m V) { p.full("VORR", B, d, n, m) }

// EOR is d = n ^ m.
func (p *Printer) EOR(d, n, m V) { p.full("VEOR", B, d, n, m) }

// BSL is d = n where d's bits are set, m elsewhere, bit by bit.
func (p *Printer) BSL(d, n, m V) { p.full("VBSL", B, d, n, m) }

// shifted prints a shift by a constant that Go's assembler knows.
func (p *Printer) shifted(name string, s Size, d, n V, count int) {
	p.op("V"+name, fmt.Sprintf("$%d", count), n.of(s), d.of(s))
}

// left checks a count to the left: zero to one less than the element's width.
func left(name string, s Size, count int) {
	sized(name, s, B, D)
	within(name, "count", count, 0, 8*s.bytes()-1)
}

// SHL is d = n << count.
func (p *Printer) SHL(s Size, d, n V, count int) {
	left("SHL", s, count)
	p.shifted("SHL", s, d, n, count)
}

// USHR is d = n >> count, unsigned.
func (p *Printer) USHR(s Size, d, n V, count int) {
	sized("USHR", s, B, D)
	within("USHR", "count", count, 1, 8*s.bytes())
	p.shifted("USHR", s, d, n, count)
}

// USRA is d += n >> count, unsigned.
func (p *Printer) USRA(s Size, d, n V, count int) {
	sized("USRA", s, B, D)
	within("USRA", "count", count, 1, 8*s.bytes())
	p.shifted("USRA", s, d, n, count)
}

// SLI is d = n << count, with d's own count low bits below.
func (p *Printer) SLI(s Size, d, n V, count int) {
	left("SLI", s, count)
	p.shifted("SLI", s, d, n, count)
}

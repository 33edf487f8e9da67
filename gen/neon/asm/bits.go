package asm

import "fmt"

// Bitwise logic on whole registers.

// AND is d = n & m.
func (p *Printer) AND(d, n, m V) { p.full("VAND", B, d, n, m) }

// ORR is d = n | m.
func (p *Printer) ORR(d, n, m V) { p.full("VORR", B, d, n, m) }

// EOR is d = n ^ m.
func (p *Printer) EOR(d, n, m V) { p.full("VEOR", B, d, n, m) }

// BIC is d = n &^ m.
func (p *Printer) BIC(d, n, m V) { p.three(0x4e601c00, "bic", B, d, n, m) }

// MVN is d = ^n.
func (p *Printer) MVN(d, n V) { p.same(0x6e205800, "mvn", B, d, n) }

// Choices are made bit by bit.

// BSL is d = n where d's bits are set, m elsewhere.
func (p *Printer) BSL(d, n, m V) { p.full("VBSL", B, d, n, m) }

// BIT puts n into d where m's bits are set.
func (p *Printer) BIT(d, n, m V) { p.full("VBIT", B, d, n, m) }

// BIF puts n into d where m's bits are not set.
func (p *Printer) BIF(d, n, m V) { p.full("VBIF", B, d, n, m) }

// shifted prints a shift by a constant that Go's assembler knows.
func (p *Printer) shifted(name string, s Size, d, n V, count int) {
	p.op("V"+name, fmt.Sprintf("$%d", count), n.of(s), d.of(s))
}

// left and right check a count: zero is only good to the left, the element's
// whole width only to the right.
func left(name string, s Size, count int) {
	sized(name, s, B, D)
	within(name, "count", count, 0, 8*s.Bytes()-1)
}

func right(name string, s Size, count int) {
	sized(name, s, B, D)
	within(name, "count", count, 1, 8*s.Bytes())
}

// SHL is d = n << count.
func (p *Printer) SHL(s Size, d, n V, count int) {
	left("SHL", s, count)
	p.shifted("SHL", s, d, n, count)
}

// USHR is d = n >> count, unsigned.
func (p *Printer) USHR(s Size, d, n V, count int) {
	right("USHR", s, count)
	p.shifted("USHR", s, d, n, count)
}

// SSHR is d = n >> count, signed.
func (p *Printer) SSHR(s Size, d, n V, count int) {
	right("SSHR", s, count)
	t := s.arm()
	p.word(0x4f000400|uint32(16*s.Bytes()-count)<<16|n.bits()<<5|d.bits(), "sshr v%d.%s, v%d.%s, #%d", d, t, n, t, count)
}

// SLI is d = n << count, with d's own count low bits below.
func (p *Printer) SLI(s Size, d, n V, count int) {
	left("SLI", s, count)
	p.shifted("SLI", s, d, n, count)
}

// SRI is d = n >> count, unsigned, with d's own count high bits above.
func (p *Printer) SRI(s Size, d, n V, count int) {
	right("SRI", s, count)
	p.shifted("SRI", s, d, n, count)
}

// USHL is d = n << m, unsigned; m's low bytes are signed, and negative ones shift right.
func (p *Printer) USHL(s Size, d, n, m V) {
	sized("USHL", s, B, D)
	p.integer(0x6e204400, "ushl", s, d, n, m)
}

// SSHL is d = n << m, signed; m's low bytes are signed, and negative ones shift right.
func (p *Printer) SSHL(s Size, d, n, m V) {
	sized("SSHL", s, B, D)
	p.integer(0x4e204400, "sshl", s, d, n, m)
}
